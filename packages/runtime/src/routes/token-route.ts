import type { IncomingMessage } from "node:http";
import type { Handler } from "hono";
import type { GatewayEnv } from "../gateway-env.ts";
import { readCredentials, TOKEN_ERRORS, type TokenErrorCode, type TokenRefusal } from "../login/credentials.ts";
import type { Login, LoginResult } from "../login/login.ts";
import type { Callers } from "../peer/callers.ts";
import { secondsUntil } from "../seconds.ts";

const MAX_BODY_BYTES = 8192;
/** As for the header: who dribbles holds a connection for so long at most. */
const BODY_TIMEOUT_MS = 15_000;

/** RFC 6749 §5.1 and §5.2: neither a token nor a refusal may be kept by a cache. */
const NO_STORE = { "Cache-Control": "no-store", Pragma: "no-cache" };

/**
 * `POST /auth/token`.
 * @param onResult told how each request ended
 */
export const tokenRoute =
  (login: Login, callers: Callers, onResult: (result: "ok" | TokenErrorCode) => void): Handler<GatewayEnv> =>
  async (c) => {
    const { incoming, outgoing, expectsContinue } = c.env;
    const refuse = (refusal: TokenRefusal, fields: Record<string, string> = {}): Response => {
      onResult(refusal.error);
      return refusalResponse(refusal, fields);
    };
    if (expectsContinue && !declaresTooMuch(incoming)) outgoing.writeContinue();
    const body = await readBody(incoming);
    if (body === undefined) {
      onResult("invalid_request");
      const answer = {
        error: "invalid_request",
        error_description: `The body is larger than ${MAX_BODY_BYTES} bytes.`,
      };
      return c.json(answer, 413, NO_STORE);
    }
    const credentials = readCredentials(incoming.headers.authorization, incoming.headers["content-type"], body);
    if ("error" in credentials) return refuse(credentials);
    const result = await login.attempt(credentials, callers.sourceOf(incoming));
    if (result.kind === "token") {
      onResult("ok");
      const { token, expiresInS } = result;
      return c.json({ access_token: token, token_type: "bearer", expires_in: expiresInS }, 200, NO_STORE);
    }
    return refuse(...refusalOf(result, credentials.basic));
  };

const refusalOf = (
  result: Exclude<LoginResult, { kind: "token" }>,
  basic: boolean,
): [TokenRefusal, Record<string, string>] => {
  switch (result.kind) {
    case "denied":
      return [
        { error: "invalid_client", description: "The username or the password is wrong, or access has ended." },
        basic ? { "WWW-Authenticate": 'Basic realm="aigw", charset="UTF-8"' } : {},
      ];
    case "slow_down": {
      const wait = secondsUntil(result.waitMs);
      const description = `Too many failed attempts: try again in ${wait} s.`;
      return [{ error: "slow_down", description }, { "Retry-After": String(wait) }];
    }
    case "unavailable":
      return [
        { error: "temporarily_unavailable", description: "The gateway is busy or cannot reach its store: try again." },
        { "Retry-After": "1" },
      ];
  }
};

const refusalResponse = ({ error, description }: TokenRefusal, fields: Record<string, string>): Response =>
  Response.json(
    { error, error_description: description },
    { status: TOKEN_ERRORS[error], headers: { ...NO_STORE, ...fields } },
  );

const declaresTooMuch = (incoming: IncomingMessage): boolean =>
  Number(incoming.headers["content-length"] ?? 0) > MAX_BODY_BYTES;

/** @returns undefined as soon as the body is known to be larger than {@link MAX_BODY_BYTES} */
const readBody = async (incoming: IncomingMessage): Promise<Buffer | undefined> => {
  if (declaresTooMuch(incoming)) return undefined;
  const chunks: Buffer[] = [];
  let size = 0;
  const { socket } = incoming;
  const timer = setTimeout(() => socket.destroy(), BODY_TIMEOUT_MS);
  try {
    for await (const chunk of incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_BODY_BYTES) return undefined;
      chunks.push(chunk);
    }
  } catch {
    // The client has left: nobody reads the refusal that an empty body leads to, and it is no fault of ours to log.
    return Buffer.alloc(0);
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks);
};
