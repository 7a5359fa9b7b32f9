import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";

export type ProbeResult =
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly headers: IncomingHttpHeaders;
      /** At most 4 KiB of it. */
      readonly body: string;
    }
  /** Connected, but no answer in time. */
  | { readonly kind: "silent" }
  | { readonly kind: "failed"; readonly code: string };

const MAX_BODY = 4096;

/** One GET on a connection of its own, without any credentials; the certificate is judged apart. Never throws. */
export const probe = (url: string, timeoutMs: number): Promise<ProbeResult> =>
  new Promise((settle) => {
    const isHttps = url.startsWith("https:");
    let connected = false;
    const done = (result: ProbeResult): void => {
      clearTimeout(timer);
      settle(result);
      outgoing.destroy();
    };
    const options = { agent: false, headers: { "User-Agent": "aigw-doctor" } };
    const onResponse = (response: IncomingMessage): void => {
      let body = "";
      const finish = (): void =>
        done({ kind: "answer", status: response.statusCode ?? 0, headers: response.headers, body });
      response.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
        if (body.length >= MAX_BODY) finish();
      });
      response.on("end", finish);
      response.on("error", finish);
    };
    const outgoing = isHttps
      ? httpsRequest(url, { ...options, rejectUnauthorized: false }, onResponse)
      : httpRequest(url, options, onResponse);
    const timer = setTimeout(() => done(connected ? { kind: "silent" } : TIMED_OUT), timeoutMs);
    outgoing.on("socket", (socket) => {
      socket.once(isHttps ? "secureConnect" : "connect", () => {
        connected = true;
      });
    });
    outgoing.on("error", (error: NodeJS.ErrnoException) => {
      done({ kind: "failed", code: error.code ?? "failed" });
    });
    outgoing.end();
  });

const TIMED_OUT: ProbeResult = { kind: "failed", code: "ETIMEDOUT" };

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "there is no such host",
  EAI_AGAIN: "the host's name cannot be looked up now",
  ETIMEDOUT: "there is no answer",
  EHOSTUNREACH: "there is no way to that host",
  ENETUNREACH: "there is no way to that network",
  ECONNRESET: "the connection was broken off",
  EPROTO: "the other side does not speak TLS",
  ERR_SSL_WRONG_VERSION_NUMBER: "the other side does not speak TLS",
  HPE_INVALID_CONSTANT: "the other side does not speak HTTP",
};

/** What a system's code means, for people. */
export const reasonFor = (code: string): string => (REASONS[code] === undefined ? code : `${REASONS[code]} (${code})`);
