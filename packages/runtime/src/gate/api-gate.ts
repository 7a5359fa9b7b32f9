import type { Limiter, MaybePromise, Outcome, Permit } from "@aigw/core";
import { limitOf, mayCall } from "@aigw/core/clients";
import type { ControlFollower } from "../follow/control-follower.ts";
import type { GatewayRequest } from "../gateway-env.ts";
import { PROBLEMS, type ProblemCode, problemBody } from "../http-errors.ts";
import type { CallMeter } from "../metering/call-meter.ts";
import type { Callers } from "../peer/callers.ts";
import { refuse } from "../proxy/lingering-close.ts";
import type { ReverseProxy } from "../proxy/reverse-proxy.ts";
import { secondsUntil } from "../seconds.ts";
import { answerFields } from "./answer-fields.ts";
import { ApiCall, type ForwardedCall, recordedAs } from "./api-call.ts";
import type { Admitted, Authentication, Authenticator, Ended } from "./authenticator.ts";

export interface ApiGateDeps {
  readonly follower: ControlFollower;
  readonly authenticator: Authenticator;
  readonly limiter: Limiter;
  readonly proxy: ReverseProxy<ForwardedCall>;
  readonly meter: CallMeter;
  readonly callers: Callers;
  /** A request that belongs to nobody was refused. */
  readonly onStranger: (code: ProblemCode) => void;
  readonly onError: (error: unknown, requestId: string) => void;
}

const BEARER = 'Bearer realm="aigw"';

/**
 * `/api/<service>/<rest>`: fresh ▶ authenticate ▶ permit ▶ limit ▶ forward; the call itself is metered from here to its
 * end. With a token seen before, a fresh state and an embedded store, nothing here waits: the request reaches the
 * upstream in the turn in which it arrived.
 */
export class ApiGate {
  readonly #deps: ApiGateDeps;

  constructor(deps: ApiGateDeps) {
    this.#deps = deps;
  }

  /** Takes a request under `/api/` over; always answers it. */
  handle(request: GatewayRequest): void {
    const { meter, follower } = this.#deps;
    const call = new ApiCall(request, meter);
    try {
      const fresh = follower.isFresh();
      if (fresh instanceof Promise) this.#later(call, fresh, (is) => this.#authenticate(call, is));
      else this.#authenticate(call, fresh);
    } catch (error) {
      // Node's own listener is above: what is thrown into it ends the process, and with it everybody's calls.
      this.#fail(call, error);
    }
  }

  #authenticate(call: ApiCall, fresh: boolean): void {
    if (!fresh) {
      this.#refuseStale(call);
      return;
    }
    const who = this.#deps.authenticator.authenticate(call.incoming.headers.authorization);
    if (who instanceof Promise) this.#later(call, who, (is) => this.#permit(call, is));
    else this.#permit(call, who);
  }

  #permit(call: ApiCall, who: Authentication): void {
    const upstream = this.#deps.follower.upstream(call.service);
    if (who.kind !== "ok") this.#refuseStranger(call, who);
    else if (upstream === undefined) {
      this.#refuseAuthenticated(call, who, "unknown_service", "There is no service of this name.", []);
    } else if (!mayCall(who.client, call.service)) {
      this.#refuseAuthenticated(call, who, "insufficient_scope", `You may not call '${call.service}'.`, [
        "WWW-Authenticate",
        `${BEARER}, error="insufficient_scope"`,
      ]);
    } else if (upstream.disabled !== undefined) {
      const detail = `The service is out of use.${upstream.disabled === "" ? "" : ` ${upstream.disabled}`}`;
      this.#refuseAuthenticated(call, who, "service_disabled", detail, ["Retry-After", "60"]);
    } else {
      call.upstream = upstream;
      this.#limit(call, who);
    }
  }

  #limit(call: ApiCall, who: Admitted): void {
    const permit = this.#deps.limiter.acquire(who.client.id, limitOf(who.client));
    if (permit instanceof Promise) this.#later(call, permit, (granted) => this.#forwardLate(call, who, granted));
    else this.#forward(call, who, permit);
  }

  #forward(call: ApiCall, who: Admitted, permit: Permit): void {
    if (!permit.admitted) {
      this.#refuseLimited(call, who, permit);
      return;
    }
    const { client } = who;
    call.claims = who.claims;
    call.clientName = client.name;
    call.responseFields = answerFields(client.name, permit);
    if (this.#deps.callers.identify(call)) this.#deps.proxy.forward(call);
    else this.#leave(call, who);
  }

  /** Whose client is gone before anything was asked of it: no upstream is to work for nobody. */
  #leave(call: ApiCall, who: Admitted): void {
    call.incoming.socket.destroy();
    this.#deps.meter.end(call, recordedAs(who.client.name, who.claims), {
      outcome: "aborted",
      status: 0,
      bytesIn: 0,
      bytesOut: 0,
    });
  }

  /** While it waited for its permit, it may have been revoked, or the service removed or taken from it. */
  #forwardLate(call: ApiCall, { claims }: Admitted, permit: Permit): void {
    const now = this.#deps.authenticator.judge(claims);
    const upstream = this.#deps.follower.upstream(call.service);
    const isServed = upstream !== undefined && upstream.disabled === undefined;
    if (now.kind === "ok" && isServed && mayCall(now.client, call.service)) {
      call.upstream = upstream;
      this.#forward(call, now, permit);
    } else this.#permit(call, now);
  }

  /** The slow way to the next step. */
  #later<T>(call: ApiCall, value: Promise<T>, step: (value: T) => void): void {
    value.then(step).catch((error: unknown) => this.#fail(call, error));
  }

  #fail(call: ApiCall, error: unknown): void {
    this.#deps.onError(error, call.requestId);
    if (call.outgoing.headersSent) call.outgoing.destroy();
    else this.#refuse(call, "internal_error", "The gateway failed to answer.", []);
  }

  #refuseStale(call: ApiCall): void {
    this.#deps.onStranger("unavailable");
    this.#refuse(call, "unavailable", "The gateway cannot reach its store at this moment: try again soon.", [
      "Retry-After",
      "5",
    ]);
  }

  #refuseStranger(call: ApiCall, who: Exclude<Authentication, Admitted>): void {
    if (who.kind === "unsure") {
      this.#refuseStale(call);
      return;
    }
    if (who.kind === "missing") {
      this.#deps.onStranger("missing_token");
      this.#refuse(call, "missing_token", "Send a bearer token: get one from POST /auth/token.", [
        "WWW-Authenticate",
        BEARER,
      ]);
      return;
    }
    const detail = "The token is not valid (any more): get a new one from POST /auth/token.";
    if (who.kind === "invalid") this.#deps.onStranger("invalid_token");
    else this.#record(call, who, "denied", "invalid_token", detail);
    this.#refuse(call, "invalid_token", detail, ["WWW-Authenticate", `${BEARER}, error="invalid_token"`]);
  }

  #refuseLimited(call: ApiCall, who: Admitted, permit: Permit): void {
    const wait = secondsUntil(permit.resetMs);
    const detail = `The limit of ${permit.limit} requests in 60 s is used up: try again in ${wait} s.`;
    this.#record(call, who, "limited", "rate_limited", detail);
    this.#refuse(call, "rate_limited", detail, ["Retry-After", String(wait), ...answerFields(who.client.name, permit)]);
  }

  #refuseAuthenticated(
    call: ApiCall,
    who: Admitted,
    code: ProblemCode,
    detail: string,
    fields: readonly string[],
  ): void {
    const { client } = who;
    this.#record(call, who, "denied", code, detail);
    const answer = (permit: Permit): void =>
      this.#refuse(call, code, detail, [...fields, ...answerFields(client.name, permit)]);
    const permit: MaybePromise<Permit> = this.#deps.limiter.peek(client.id, limitOf(client));
    if (permit instanceof Promise) this.#later(call, permit, answer);
    else answer(permit);
  }

  #refuse(call: ApiCall, code: ProblemCode, detail: string, fields: readonly string[]): void {
    refuse(call.incoming, call.outgoing, { code, detail, requestId: call.requestId }, [...fields, ...call.cors.own]);
  }

  /** The usage of a call that is answered with a problem. */
  #record(
    call: ApiCall,
    who: Admitted | Ended,
    outcome: Extract<Outcome, "denied" | "limited">,
    code: ProblemCode,
    detail: string,
  ): void {
    const { method, requestId } = call;
    const bytesOut = method === "HEAD" ? 0 : Buffer.byteLength(problemBody({ code, detail, requestId }));
    const { status } = PROBLEMS[code];
    const ended = { outcome, status, bytesIn: 0, bytesOut, ...(who.kind === "ended" && { tokenEnd: who.why }) };
    this.#deps.meter.end(call, recordedAs(who.client.name, who.claims), ended);
  }
}
