import type { IncomingMessage } from "node:http";
import { TRIAL_FIELD } from "@aigw/core/sealing";
import type { GatewayRequest } from "../gateway-env.ts";
import { readCredentials, TOKEN_ERRORS, type TokenErrorCode } from "../login/credentials.ts";
import type { Login, LoginResult } from "../login/login.ts";
import type { Callers } from "../peer/callers.ts";
import { secondsUntil } from "../seconds.ts";
import { answerJson } from "./answer.ts";
import { RefusalPace } from "./refusal-pace.ts";

const MAX_BODY_BYTES = 8192;
/** As for the header: who dribbles holds a connection for so long at most. */
const BODY_TIMEOUT_MS = 15_000;

const MARK = TRIAL_FIELD.toLowerCase();

/** RFC 6749 §5.1 and §5.2: neither a token nor a refusal may be kept by a cache. */
const NO_STORE = ["Cache-Control", "no-store", "Pragma", "no-cache"] as const;

export interface TokenRouteDeps {
  readonly login: Login;
  readonly callers: Callers;
  /** Told how each request ended. */
  readonly onResult: (result: "ok" | TokenErrorCode) => void;
}

/** `POST /auth/token`. */
export class TokenRoute {
  readonly #deps: TokenRouteDeps;
  readonly #pace = new RefusalPace();

  constructor(deps: TokenRouteDeps) {
    this.#deps = deps;
  }

  async handle(request: GatewayRequest): Promise<void> {
    const { incoming, outgoing, expectsContinue } = request;
    const { login, callers, onResult } = this.#deps;
    const source = callers.sourceOf(incoming);
    const waitMs = login.knownWait(source);
    // Whatever it is: it need not even be read.
    if (waitMs !== undefined) {
      this.#refuseResult(request, { kind: "slow_down", waitMs }, false);
      return;
    }
    if (expectsContinue && !declaresTooMuch(incoming)) outgoing.writeContinue();
    const body = await readBody(incoming);
    if (body === undefined) {
      const description = `The body is larger than ${MAX_BODY_BYTES} bytes.`;
      this.#refuse(request, "invalid_request", description, [], 413);
      return;
    }
    const credentials = readCredentials(incoming.headers.authorization, incoming.headers["content-type"], body);
    if ("error" in credentials) {
      this.#refuse(request, credentials.error, credentials.description);
      return;
    }
    const mark = incoming.headers[MARK];
    const result = await login.attempt(credentials, {
      source,
      isGone: () => outgoing.destroyed,
      mark: typeof mark === "string" ? mark : undefined,
    });
    if (result.kind !== "token") {
      this.#refuseResult(request, result, credentials.basic);
      return;
    }
    onResult("ok");
    const answer = { access_token: result.token, token_type: "bearer", expires_in: result.expiresInS };
    answerJson(request, 200, JSON.stringify(answer), NO_STORE);
  }

  #refuseResult(request: GatewayRequest, result: Exclude<LoginResult, { kind: "token" }>, basic: boolean): void {
    switch (result.kind) {
      case "denied": {
        const challenge = basic ? ["WWW-Authenticate", 'Basic realm="aigw", charset="UTF-8"'] : [];
        const description = "The username or the password is wrong, or access has ended.";
        this.#refuse(request, "invalid_client", description, challenge);
        break;
      }
      case "slow_down": {
        const wait = secondsUntil(result.waitMs);
        const description = `Too many failed attempts: try again in ${wait} s.`;
        this.#refuse(request, "slow_down", description, ["Retry-After", String(wait)]);
        break;
      }
      case "unavailable": {
        const description = "The gateway is busy or cannot reach its store: try again.";
        this.#refuse(request, "temporarily_unavailable", description, ["Retry-After", "1"]);
        break;
      }
    }
  }

  #refuse(
    request: GatewayRequest,
    error: TokenErrorCode,
    description: string,
    fields: readonly string[] = [],
    status: number = TOKEN_ERRORS[error],
  ): void {
    this.#deps.onResult(error);
    const body = JSON.stringify({ error, error_description: description });
    this.#pace.pass(() => {
      if (!request.outgoing.destroyed) answerJson(request, status, body, [...NO_STORE, ...fields]);
    });
  }
}

const declaresTooMuch = (incoming: IncomingMessage): boolean =>
  Number(incoming.headers["content-length"] ?? 0) > MAX_BODY_BYTES;

/** @returns undefined as soon as the body is known to be larger than {@link MAX_BODY_BYTES}; empty when its client left */
const readBody = async (incoming: IncomingMessage): Promise<Buffer | undefined> => {
  if (declaresTooMuch(incoming)) return undefined;
  const { socket } = incoming;
  const timer = setTimeout(() => socket.destroy(), BODY_TIMEOUT_MS);
  try {
    return await new Promise((settle) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const take = (chunk: Buffer): void => {
        size += chunk.length;
        chunks.push(chunk);
        if (size <= MAX_BODY_BYTES) return;
        incoming.off("data", take).pause();
        settle(undefined);
      };
      incoming.on("data", take);
      incoming.on("end", () => settle(Buffer.concat(chunks)));
      // Nobody reads the refusal that an empty body leads to.
      incoming.on("close", () => settle(Buffer.alloc(0)));
    });
  } finally {
    clearTimeout(timer);
  }
};
