import type { IncomingMessage, ServerResponse } from "node:http";
import { type Client, type Limiter, limitOf, type MaybePromise, mayCall, type Outcome, type Permit } from "@aigw/core";
import type { ControlFollower } from "../follow/control-follower.ts";
import { PROBLEMS, type ProblemCode, problemBody } from "../http-errors.ts";
import type { CallMeter, Metered } from "../metering/call-meter.ts";
import { refuse } from "../proxy/lingering-close.ts";
import type { ReverseProxy } from "../proxy/reverse-proxy.ts";
import { secondsUntil } from "../seconds.ts";
import { answerFields } from "./answer-fields.ts";
import type { Authentication, Authenticator } from "./authenticator.ts";
import type { OpenCall, OpenCalls } from "./open-calls.ts";

export interface ApiGateDeps {
  readonly follower: ControlFollower;
  readonly authenticator: Authenticator;
  readonly limiter: Limiter;
  readonly proxy: ReverseProxy;
  readonly openCalls: OpenCalls;
  readonly meter: CallMeter;
  readonly scheme: "http" | "https";
  /** A request that belongs to nobody was refused. */
  readonly onStranger: (code: ProblemCode) => void;
  readonly onError: (error: unknown, requestId: string) => void;
}

/** One request under `/api/`, past the guard. */
export interface ApiRequest {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  /** In origin form, byte for byte, starting with `/api/`. */
  readonly target: string;
  readonly requestId: string;
  readonly expectsContinue: boolean;
}

/** The same on its way through the gate. */
interface Request {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly service: string;
  readonly rest: string;
  readonly requestId: string;
  readonly expectsContinue: boolean;
  readonly metered: Metered;
}

type Admitted = Extract<Authentication, { kind: "ok" }>;

const BEARER = 'Bearer realm="aigw"';

/**
 * `/api/<service>/<rest>`: authenticate ▶ permit ▶ limit ▶ forward ▶ meter. With a token seen before, a fresh state and
 * an embedded store, nothing here waits: the request reaches the upstream in the turn in which it arrived.
 */
export class ApiGate {
  readonly #deps: ApiGateDeps;

  constructor(deps: ApiGateDeps) {
    this.#deps = deps;
  }

  /** Takes the request over; always answers it. */
  handle({ incoming, outgoing, target, requestId, expectsContinue }: ApiRequest): void {
    const { service, rest, path } = splitTarget(target);
    const metered = this.#deps.meter.begin(incoming.method ?? "GET", path, service, requestId);
    const request = { incoming, outgoing, service, rest, requestId, expectsContinue, metered };
    this.#next(request, this.#deps.follower.isFresh(), (fresh) => {
      if (fresh) this.#authenticate(request);
      else this.#refuseStale(request);
    });
  }

  /** Goes on at once with what is there at once. */
  #next<T>(request: Request, value: MaybePromise<T>, step: (value: T) => void): void {
    if (value instanceof Promise) value.then(step).catch((error: unknown) => this.#fail(request, error));
    else step(value);
  }

  #fail(request: Request, error: unknown): void {
    this.#deps.onError(error, request.requestId);
    if (request.outgoing.headersSent) request.outgoing.destroy();
    else this.#refuse(request, "internal_error", "The gateway failed to answer.", []);
  }

  #authenticate(request: Request): void {
    const verdict = this.#deps.authenticator.authenticate(request.incoming.headers.authorization);
    this.#next(request, verdict, (who) => this.#permit(request, who));
  }

  #permit(request: Request, who: Authentication): void {
    if (who.kind === "missing") {
      this.#deps.onStranger("missing_token");
      this.#refuse(request, "missing_token", "Send a bearer token: get one from POST /auth/token.", [
        "WWW-Authenticate",
        BEARER,
      ]);
      return;
    }
    if (who.kind === "invalid") {
      const detail = "The token is not valid (any more): get a new one from POST /auth/token.";
      if (who.client === undefined) this.#deps.onStranger("invalid_token");
      else this.#record(request, who.client, "denied", "invalid_token", detail);
      this.#refuse(request, "invalid_token", detail, ["WWW-Authenticate", `${BEARER}, error="invalid_token"`]);
      return;
    }
    if (this.#deps.follower.upstream(request.service) === undefined) {
      this.#refuseAuthenticated(request, who.client, "unknown_service", "There is no service of this name.", []);
    } else if (!mayCall(who.client, request.service)) {
      this.#refuseAuthenticated(request, who.client, "insufficient_scope", `You may not call '${request.service}'.`, [
        "WWW-Authenticate",
        `${BEARER}, error="insufficient_scope"`,
      ]);
    } else {
      this.#limit(request, who);
    }
  }

  #limit(request: Request, who: Admitted): void {
    const permit = this.#deps.limiter.acquire(who.client.id, limitOf(who.client));
    this.#next(request, permit, (granted) => {
      // While it waited, it may have been revoked, or the service removed or taken from it.
      const now = permit instanceof Promise ? this.#deps.authenticator.judge(who.claims) : who;
      const mayStill = now.kind === "ok" && mayCall(now.client, request.service);
      if (mayStill && this.#deps.follower.upstream(request.service) !== undefined) this.#forward(request, now, granted);
      else this.#permit(request, now);
    });
  }

  #forward(request: Request, who: Admitted, permit: Permit): void {
    const { client, claims } = who;
    if (!permit.admitted) {
      const wait = secondsUntil(permit.resetMs);
      const detail = `The limit of ${permit.limit} requests in 60 s is used up: try again in ${wait} s.`;
      this.#record(request, client, "limited", "rate_limited", detail);
      this.#refuse(request, "rate_limited", detail, [
        "Retry-After",
        String(wait),
        ...answerFields(client.name, permit),
      ]);
      return;
    }
    const { incoming, outgoing, service, rest, requestId, expectsContinue } = request;
    const upstream = this.#deps.follower.upstream(service);
    // A waiting client may be gone by now, or the service removed while its permit was fetched.
    if (outgoing.destroyed || upstream === undefined) {
      const nothing = { status: 0, bytesIn: 0, bytesOut: 0 };
      this.#deps.meter.end(request.metered, client.name, { outcome: "aborted", ...nothing });
      outgoing.destroy();
      return;
    }
    const open: OpenCall = { claims, service, exchange: undefined };
    this.#deps.openCalls.add(open);
    open.exchange = this.#deps.proxy.forward({
      incoming,
      outgoing,
      upstream,
      rest,
      requestId,
      clientName: client.name,
      scheme: this.#deps.scheme,
      responseFields: answerFields(client.name, permit),
      expectsContinue,
      onEnd: (result) => {
        this.#deps.openCalls.delete(open);
        this.#deps.meter.end(request.metered, client.name, result);
      },
    });
  }

  #refuseStale(request: Request): void {
    this.#deps.onStranger("unavailable");
    this.#refuse(request, "unavailable", "The gateway cannot reach its store at this moment: try again soon.", [
      "Retry-After",
      "5",
    ]);
  }

  #refuseAuthenticated(
    request: Request,
    client: Client,
    code: ProblemCode,
    detail: string,
    fields: readonly string[],
  ): void {
    this.#record(request, client, "denied", code, detail);
    this.#next(request, this.#deps.limiter.peek(client.id, limitOf(client)), (permit) =>
      this.#refuse(request, code, detail, [...fields, ...answerFields(client.name, permit)]),
    );
  }

  #refuse(request: Request, code: ProblemCode, detail: string, fields: readonly string[]): void {
    refuse(request.incoming, request.outgoing, { code, detail, requestId: request.requestId }, fields);
  }

  /** The usage of a call that is answered with a problem. */
  #record(
    { incoming, metered, requestId }: Request,
    client: Client,
    outcome: Extract<Outcome, "denied" | "limited">,
    code: ProblemCode,
    detail: string,
  ): void {
    const bytesOut = incoming.method === "HEAD" ? 0 : Buffer.byteLength(problemBody({ code, detail, requestId }));
    const { status } = PROBLEMS[code];
    this.#deps.meter.end(metered, client.name, { outcome, status, bytesIn: 0, bytesOut });
  }
}

/** `/api/ocr/v1/x?y=1` → `ocr`, `/v1/x?y=1`, `/api/ocr/v1/x`. */
const splitTarget = (target: string): { service: string; rest: string; path: string } => {
  const query = target.indexOf("?");
  const path = query === -1 ? target : target.slice(0, query);
  const slash = path.indexOf("/", 5);
  const end = slash === -1 ? path.length : slash;
  return { service: path.slice(5, end), rest: target.slice(end), path };
};
