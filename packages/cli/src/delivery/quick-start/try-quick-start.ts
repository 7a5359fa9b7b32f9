import { setTimeout as delay } from "node:timers/promises";
import { type Steps, TOKEN_PLACE } from "./commands.ts";
import { curlCallOf } from "./curl-call.ts";
import { type Answer, parsed, problemIn, type Reply } from "./reply.ts";
import type { Shell } from "./shell.ts";

/** What came of one command of a quick start. */
export interface Step {
  /** Such as `/api/ocr`. */
  readonly path: string;
  /** Absent when no answer came. */
  readonly status?: number;
  /**
   * `reached`: the client gets an answer of the service. `odd`: it does not, or one that says that something is wrong;
   * that is to be looked at, but no fault of the credentials. `failed`: with these it will not get one.
   */
  readonly verdict: "reached" | "odd" | "failed" | "not tried";
  /** For people; empty where there is nothing to add. */
  readonly said: string;
}

export interface Trial {
  readonly shell: string;
  readonly token: Step;
  readonly calls: readonly Step[];
  readonly works: boolean;
}

const CALLS_AT_ONCE = 4;
/** A gateway that is busy hashing says so; it gets this many chances. */
const TOKEN_TRIES = 4;
const TOKEN_RETRY_MS = 1_000;

/**
 * Does all that the quick start says, as the client would.
 * @param limit requests that the client may make per minute: more calls than that are not tried
 * @param mark the field by which the gateway knows that it is not the client, made anew for each try
 */
export const tryQuickStart = async (
  shell: Shell,
  { token, calls }: Steps,
  limit: number,
  mark: () => string,
): Promise<Trial> => {
  const reply = await askForToken(shell, token, mark);
  const { step, accessToken } = judgeToken(pathOf(token), reply);
  if (accessToken === undefined) return { shell: shell.name, token: step, calls: [], works: false };
  const steps: Step[] = [];
  for (let at = 0; at < calls.length; at += CALLS_AT_ONCE) {
    const some = calls.slice(at, at + CALLS_AT_ONCE).map(async (call, index): Promise<Step> => {
      if (at + index >= limit)
        return { path: pathOf(call), verdict: "not tried", said: `the limit is ${limit} a minute` };
      return judgeCall(pathOf(call), await shell.paste(call.replaceAll(TOKEN_PLACE, accessToken)));
    });
    steps.push(...(await Promise.all(some)));
  }
  return { shell: shell.name, token: step, calls: steps, works: steps.every(({ verdict }) => verdict !== "failed") };
};

const askForToken = async (shell: Shell, command: string, mark: () => string): Promise<Reply> => {
  for (let tries = 1; ; tries += 1) {
    const reply = await shell.paste(command, mark());
    if (reply.kind !== "answer" || reply.status !== 503 || tries === TOKEN_TRIES) return reply;
    await delay(TOKEN_RETRY_MS);
  }
};

const pathOf = (command: string): string => {
  const url = curlCallOf(command)?.url ?? "";
  return URL.canParse(url) ? new URL(url).pathname.replace(/^.*(?=\/(api|auth)\/)/, "") : url;
};

const judgeToken = (path: string, reply: Reply): { readonly step: Step; readonly accessToken?: string } => {
  if (reply.kind !== "answer") return { step: { path, verdict: "failed", said: `no answer: ${reply.reason}` } };
  const { access_token: accessToken, error } = parsed(reply.body);
  const { status } = reply;
  // Goes into a command: nothing but what a JWT is made of.
  if (status === 200 && typeof accessToken === "string" && /^[\w.-]+$/.test(accessToken)) {
    return { step: { path, status, verdict: "reached", said: "" }, accessToken };
  }
  const said =
    error === "invalid_client"
      ? "the gateway does not know these credentials; does it run on another store?"
      : error === "slow_down"
        ? "too many failed logins from this machine; try again in five minutes"
        : error === "temporarily_unavailable"
          ? "the gateway is busy, or cannot reach its store"
          : (problemIn(reply)?.detail ?? "that is not an answer of the gateway");
  return { step: { path, status, verdict: "failed", said } };
};

/** The token was had a moment ago: the credentials are right, whatever becomes of a service. */
const judgeCall = (path: string, reply: Reply): Step => {
  if (reply.kind !== "answer") return { path, verdict: "odd", said: `no answer: ${reply.reason}` };
  const { status } = reply;
  const problem = problemIn(reply);
  if (problem !== undefined) {
    const verdict = PASSING.has(problem.code) ? "odd" : "failed";
    return { path, status, verdict, said: REASONS[problem.code] ?? problem.detail };
  }
  if (path.startsWith("/api/") && !reply.headers.has("x-client-id")) {
    return { path, status, verdict: "failed", said: "answered by something that stands before the gateway" };
  }
  return { path, status, ...ofTheService(reply) };
};

/** What the service makes of a bare GET is its own affair, as long as it is not a sign that nobody will get in. */
const ofTheService = ({ status }: Answer): Pick<Step, "verdict" | "said"> => {
  if (status === 401 || status === 403) {
    return { verdict: "odd", said: "the service itself refuses; does it want a key? See: aigw service set --help" };
  }
  if (status >= 500 || status === 429) return { verdict: "odd", said: "the service itself answers so" };
  return { verdict: "reached", said: status >= 400 ? "the service's own answer to a plain GET" : "" };
};

/** What says nothing of the client's credentials and rights. */
const PASSING: ReadonlySet<string> = new Set([
  "upstream_unreachable",
  "upstream_invalid",
  "upstream_timeout",
  "service_down",
  "service_disabled",
  "rate_limited",
  "unavailable",
]);

/** Why the gateway refuses, and what to do, by its own code. */
const REASONS: Readonly<Record<string, string>> = {
  invalid_token: "the gateway does not take its own token; are there gateways on different stores behind this address?",
  missing_token: "the token got lost on the way; does something before the gateway drop Authorization?",
  insufficient_scope: "the client may not call this service; see: aigw client show",
  unknown_service: "the gateway does not know this service; see: aigw service list",
  not_found: "there is nothing at this address; is public-url right?",
  rate_limited: "the client's limit is used up; try again in a minute",
  upstream_unreachable: "the service behind it cannot be reached; start it, or see: aigw service show",
  upstream_invalid: "the service behind it does not answer in HTTP; see: aigw service show",
  upstream_timeout: "the service behind it did not answer in time; see: aigw service show",
  service_down: "all targets of the service behind it are down; see: aigw service list",
  service_disabled: "the service behind it is out of use; see: aigw service enable",
  unavailable: "the gateway cannot reach its store; see: aigw status",
};
