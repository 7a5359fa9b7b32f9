import { isPlainHttp } from "@aigw/core/config";
import { askForProof, type Identity, refusalIn, type Verdict } from "../../delivery/gateway-proof.ts";
import type { Found } from "../finding.ts";
import { type ProbeResult, probe, reasonFor } from "../probe.ts";
import { judgeCertificate, showCertificate } from "./certificate.ts";

const about = "public URL";
const TIMEOUT_MS = 4_000;
/** A call without a token: aigw, and hardly anybody else, answers it with this challenge. */
const CHALLENGE = /^Bearer realm="aigw"/;

export interface PublicUrl {
  readonly value: string;
  readonly isDefault: boolean;
}

/** @param identity what a gateway of this store can prove; absent when that cannot be judged */
export const checkPublicUrl = async (
  { value, isDefault }: PublicUrl,
  now: number,
  identity?: Identity,
): Promise<readonly Found[]> => {
  // What nobody has set is not where clients are sent; that a gateway runs is checked elsewhere.
  if (isDefault) {
    return [
      {
        code: "public_url_default",
        about,
        message: `It is not set, so clients are told ${value}.`,
        command: "aigw config set public-url https://…",
      },
    ];
  }
  const url = new URL(value);
  const [shown, verdict, call, ready] = await Promise.all([
    url.protocol === "https:" ? showCertificate(url, TIMEOUT_MS) : undefined,
    identity && verdictAt(value, identity),
    ask(`${value}/api/doctor`),
    ask(`${value}/ready`),
  ]);
  return [
    isPlainHttp(value) ? PLAIN_HTTP(value) : { code: "public_url_set", about, message: value },
    ...(shown === undefined ? [] : [judgeCertificate(shown, url.hostname, now)]),
    judgeProof(value, verdict, judgeAnswer(value, call, ready)),
  ];
};

const verdictAt = async (value: string, identity: Identity): Promise<Verdict> =>
  (await askForProof(identity, value, ask, (reply) => (reply.kind === "answer" ? reply : undefined))).verdict;

/** @param seen what was judged without the proof */
const judgeProof = (value: string, verdict: Verdict | undefined, seen: Found): Found => {
  if (verdict === undefined) return seen;
  const message = refusalIn(value, verdict);
  if (message !== undefined) {
    return verdict.kind === "mismatch"
      ? { code: "public_url_mismatch", about, message, command: `aigw config set public-url ${value}` }
      : {
          code: "public_url_other_store",
          about,
          message,
          command: "let it point to a gateway of this store: aigw status",
        };
  }
  if (verdict.kind === "proven" || seen.code !== "public_url_answers") return seen;
  return {
    code: "public_url_unproven",
    about,
    message: `What answers at ${value} as aigw does cannot prove that it holds this store's key; it is of an earlier version, or pretends.`,
    command: "restart the gateway with this version, and let the address point to it: aigw status",
  };
};

const ask = (url: string): Promise<ProbeResult> => probe(url, TIMEOUT_MS);

const PLAIN_HTTP = (value: string): Found => ({
  code: "public_url_plain_http",
  about,
  message: `${value} is plain http: passwords and tokens cross the network in the clear.`,
  command: "put TLS in front, then: aigw config set public-url https://…",
});

/** @param call the answer to a call without a token; @param ready the answer of /ready */
export const judgeAnswer = (value: string, call: ProbeResult, ready: ProbeResult): Found => {
  if (call.kind !== "answer") {
    const reason = reasonFor(call.kind === "silent" ? "ETIMEDOUT" : call.code);
    return {
      code: "public_url_unreachable",
      about,
      message: `${value} cannot be reached from here: ${reason}.`,
      command: "start the gateway and what is in front of it: aigw serve; check DNS and firewall",
    };
  }
  const { status, headers } = call;
  const challenge = headers["www-authenticate"] ?? "";
  if (status === 401 && CHALLENGE.test(challenge)) {
    if (ready.kind === "answer" && ready.status === 200) {
      return { code: "public_url_answers", about, message: "reached, answered by aigw, ready" };
    }
    return {
      code: "public_url_not_ready",
      about,
      message: `aigw answers at ${value}, but is not ready: it drains, or cannot read its store.`,
      command: "aigw status",
    };
  }
  if (status >= 300 && status < 400) {
    return {
      code: "public_url_redirects",
      about,
      message: `${value} redirects to ${originOf(headers.location, value)}; clients that POST do not follow.`,
      command: "aigw config set public-url <where it redirects to>",
    };
  }
  if ([502, 503, 504].includes(status)) {
    return {
      code: "public_url_no_gateway",
      about,
      message: `What is in front of the gateway answers ${status}: it does not reach the gateway.`,
      command: "aigw serve, and let the proxy point to its address: aigw status",
    };
  }
  return {
    code: "public_url_not_aigw",
    about,
    message: `${value} is answered (${status}), but not by aigw.`,
    command: "let it point to the gateway, or: aigw config set public-url https://…",
  };
};

const originOf = (location: string | undefined, base: string): string =>
  location !== undefined && URL.canParse(location, base) ? new URL(location, base).origin : "elsewhere";
