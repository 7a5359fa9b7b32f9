import type { Limiter, MaybePromise, Outcome, Permit } from "@aigw/core";
import type { Client } from "@aigw/core/clients";
import type { Job } from "@aigw/core/jobs";
import { mayCall } from "@aigw/core/plans";
import type { QueueRefusal, QueueTerms } from "@aigw/core/queue";
import type { QuotaStanding, QuotaTerms, QuotaVerdict } from "@aigw/core/quotas";
import type { ControlFollower } from "../follow/control-follower.ts";
import type { GatewayRequest } from "../gateway-env.ts";
import { PROBLEMS, type Problem, type ProblemCode, problemBody } from "../http-errors.ts";
import { type JobCall, jobClaims } from "../jobs/job-call.ts";
import type { Taken } from "../jobs/job-intake.ts";
import { type JobWish, jobWish } from "../jobs/prefer.ts";
import type { CallMeter } from "../metering/call-meter.ts";
import type { Callers } from "../peer/callers.ts";
import { refuse } from "../proxy/lingering-close.ts";
import type { ReverseProxy } from "../proxy/reverse-proxy.ts";
import { secondsUntil } from "../seconds.ts";
import { type AnswerQuotas, answerFields } from "./answer-fields.ts";
import { ApiCall, type ForwardedCall, recordedAs } from "./api-call.ts";
import type { Admitted, Authentication, Authenticator, Ended } from "./authenticator.ts";
import { answerBroken, answerTaken, brokenAs } from "./job-request.ts";
import type { QueueGate, WaitingCall } from "./queue-gate.ts";
import type { QuotaGate, QuotaRefusal } from "./quota-gate.ts";
import { quotaProblem } from "./quota-problem.ts";

export interface ApiGateDeps {
  readonly follower: ControlFollower;
  readonly authenticator: Authenticator;
  readonly limiter: Limiter;
  readonly quotas: QuotaGate;
  readonly queue: QueueGate;
  /** The store's steady milliseconds. */
  readonly steadyNow: () => number;
  readonly proxy: ReverseProxy<ForwardedCall>;
  readonly meter: CallMeter;
  readonly callers: Callers;
  /** Takes calls in that are to become jobs. */
  readonly jobs: JobTaker;
  /** A request that belongs to nobody was refused. */
  readonly onStranger: (code: ProblemCode) => void;
  readonly onError: (error: unknown, requestId: string) => void;
}

/** Who keeps a request that is to be a job. */
export interface JobTaker {
  /** What is answered is the gate's. */
  take(call: ApiCall, who: Admitted, wish: JobWish): Promise<Taken>;
}

/** Of a job: it was taken when its request came, and is given back to nobody. */
const TAKEN_BEFORE: Permit = { admitted: true, at: 0, limit: 0, remaining: 0, resetMs: 0 };

const BEARER = 'Bearer realm="aigw"';

/**
 * `/api/<service>/<rest>`: fresh ▶ authenticate ▶ permit ▶ limit ▶ quota ▶ queue ▶ forward; the call itself is metered from here to its
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
    if (who.kind === "ok" || who.kind === "ended") call.plan = who.client.plan;
    if (who.kind !== "ok") this.#refuseStranger(call, who);
    else if (upstream === undefined) {
      this.#refuseAuthenticated(call, who, "unknown_service", "There is no service of this name.", []);
    } else if (!mayCall(this.#deps.follower.termsOf(who.client), call.service)) {
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
    const terms = this.#deps.quotas.termsOf(who.client, who.claims);
    call.quotaTerms = terms;
    const refusal = terms === undefined ? undefined : this.#deps.quotas.refusal(terms, call);
    if (refusal !== undefined) {
      this.#refuseOverQuota(call, who, refusal);
      return;
    }
    const permit = this.#deps.limiter.acquire(who.client.id, this.#deps.follower.termsOf(who.client).limit);
    if (permit instanceof Promise) this.#later(call, permit, (granted) => this.#forwardLate(call, who, granted));
    else this.#forward(call, who, permit);
  }

  #forward(call: ApiCall, who: Admitted, permit: Permit): void {
    if (!permit.admitted) {
      this.#refuseLimited(call, who, permit);
      return;
    }
    if (call.upstream.jobs !== undefined) {
      const wish = jobWish(call.incoming);
      if (wish !== undefined) {
        this.#keep(call, who, permit, wish);
        return;
      }
    }
    this.#reserve(call, who, permit);
  }

  /** It becomes a job, which comes back to {@link ApiGate.run}. */
  #keep(call: ApiCall, who: Admitted, permit: Permit, wish: JobWish): void {
    call.clientName = who.client.name;
    if (!this.#deps.callers.identify(call)) {
      call.claims = who.claims;
      this.#leave(call);
      return;
    }
    this.#later(call, this.#deps.jobs.take(call, who, wish), (taken) => {
      if (taken.kind === "taken") answerTaken(call, who.client.name, permit, taken.job);
      else if (taken.kind === "refused") {
        this.#refuseAuthenticated(call, who, taken.code, taken.detail, taken.fields);
      } else {
        const { bytesIn } = taken;
        const recorded = recordedAs(who.client.name, who.claims);
        this.#deps.meter.end(call, recorded, { ...brokenAs(taken), bytesIn, bytesOut: 0 });
        answerBroken(call, taken);
      }
    });
  }

  /** The call of a job: quota ▶ forward. Its client's limit has let its request in when that came. */
  run(call: JobCall, client: Client, { trial }: Pick<Job, "trial">): void {
    try {
      const who: Admitted = { kind: "ok", client, claims: jobClaims(client, trial === true) };
      call.plan = client.plan;
      if (!this.#mayStillCall(call, who)) {
        this.#permit(call, who);
        return;
      }
      call.quotaTerms = this.#deps.quotas.termsOf(client, who.claims);
      this.#reserve(call, who, TAKEN_BEFORE);
    } catch (error) {
      this.#fail(call, error);
    }
  }

  #reserve(call: ApiCall, who: Admitted, permit: Permit): void {
    const terms = call.quotaTerms;
    if (terms === undefined) this.#send(call, who, permit, undefined);
    else if (call.body === undefined && this.#deps.quotas.waits(terms, call)) this.#awaitBody(call, who, permit);
    else this.#claim(call, who, permit, terms);
  }

  /** What the request itself says is wanted before it is let in. */
  #awaitBody(call: ApiCall, who: Admitted, permit: Permit): void {
    const mayWait = (): boolean => this.#deps.authenticator.judge(who.claims).kind === "ok";
    this.#later(call, this.#deps.quotas.body(call, mayWait), (body) => {
      call.body = body ?? null;
      this.#forwardLate(call, who, permit);
    });
  }

  #claim(call: ApiCall, who: Admitted, permit: Permit, terms: QuotaTerms): void {
    const verdict = this.#deps.quotas.acquire(terms, call, call.body ?? undefined);
    if (!(verdict instanceof Promise)) this.#decide(call, who, permit, verdict);
    else this.#later(call, verdict, (late) => this.#decideLate(call, who, permit, late));
  }

  #decide(call: ApiCall, who: Admitted, permit: Permit, verdict: QuotaVerdict): void {
    const { quotas, steadyNow } = this.#deps;
    if (verdict.claim === undefined) {
      const refunded = this.#refund(who.client.id, permit);
      const refuse = (): void => this.#refuseOverQuota(call, who, verdict);
      if (refunded instanceof Promise) this.#later(call, refunded, refuse);
      else refuse();
      return;
    }
    if (call.isCountedBefore) quotas.countedBefore(verdict.claim);
    call.claim = verdict.claim;
    call.quotas = quotas;
    call.body = undefined;
    this.#send(call, who, permit, { standings: quotas.standingOf(verdict.claim), now: steadyNow() });
  }

  #refund(clientId: string, permit: Permit): MaybePromise<void> {
    return permit === TAKEN_BEFORE ? undefined : this.#deps.limiter.refund(clientId, permit);
  }

  /** As {@link ApiGate.#forwardLate}: a call that was let in and does not begin counts for nothing. */
  #decideLate(call: ApiCall, { claims }: Admitted, permit: Permit, verdict: QuotaVerdict): void {
    const now = this.#deps.authenticator.judge(claims);
    if (this.#mayStillCall(call, now)) this.#decide(call, now, permit, verdict);
    else {
      if (verdict.claim !== undefined) this.#deps.quotas.cancel(verdict.claim);
      this.#permit(call, now);
    }
  }

  #send(call: ApiCall, who: Admitted, permit: Permit, quotas: AnswerQuotas | undefined): void {
    const { client } = who;
    call.claims = who.claims;
    call.clientName = client.name;
    const { queue } = call.upstream;
    if (queue === undefined || this.#enter(call, who, permit, queue)) this.#dispatch(call, who, permit, quotas);
  }

  #dispatch(call: ApiCall, who: Admitted, permit: Permit, quotas: AnswerQuotas | undefined): void {
    call.responseFields = answerFields(call.clientName, permit, quotas);
    if (who.claims.job === true || this.#deps.callers.identify(call)) this.#deps.proxy.forward(call);
    else this.#leave(call);
  }

  /** @returns whether the service has room for it at once */
  #enter(call: ApiCall, { claims }: Admitted, permit: Permit, terms: QueueTerms): boolean {
    const waiting = this.#deps.queue.enter(terms, call, claims, permit, this);
    const { state, why } = waiting.ticket;
    if (state === "refused") this.onRefused(waiting, why ?? "full");
    return state === "has_slot";
  }

  /** While it waited, its client may have lost its right, or the gateway its store. */
  onTurn({ call, claims }: WaitingCall): void {
    try {
      const fresh = this.#deps.follower.isFresh();
      if (fresh instanceof Promise) this.#later(call, fresh, (is) => this.#takeTurn(call, claims, is));
      else this.#takeTurn(call, claims, fresh);
    } catch (error) {
      this.#fail(call, error);
    }
  }

  #takeTurn(call: ApiCall, claims: Admitted["claims"], isFresh: boolean): void {
    const { authenticator, limiter, follower, quotas, steadyNow } = this.#deps;
    const now = authenticator.judge(claims);
    if (!isFresh || !this.#mayStillCall(call, now)) {
      call.onServed();
      call.cancelClaim();
      if (isFresh) this.#permit(call, now);
      else this.#refuseStale(call);
      return;
    }
    const dispatch = (known: Permit): void => {
      const standings = call.claim && { standings: quotas.standingOf(call.claim), now: steadyNow() };
      this.#dispatch(call, now, known, standings);
    };
    // Where it stands by now; the permit itself was taken when it came.
    const known = limiter.peek(now.client.id, follower.termsOf(now.client).limit);
    if (known instanceof Promise) this.#later(call, known, dispatch);
    else dispatch(known);
  }

  onGone({ call }: WaitingCall): void {
    call.cancelClaim();
    this.#leave(call);
  }

  onRefused(waiting: WaitingCall, why: QueueRefusal): void {
    const { call, claims, permit } = waiting;
    if (call.incoming.socket.destroyed) {
      this.onGone(waiting);
      return;
    }
    call.cancelClaim();
    const refunded = this.#refund(claims.clientId, permit);
    const refuse = (): void => this.#refuseWaiting(call, claims, why);
    if (refunded instanceof Promise) this.#later(call, refunded, refuse);
    else refuse();
  }

  #refuseWaiting(call: ApiCall, claims: Admitted["claims"], why: QueueRefusal): void {
    const { authenticator, queue } = this.#deps;
    const who = authenticator.judge(claims);
    const { queue: terms } = call.upstream;
    if (!this.#mayStillCall(call, who)) this.#permit(call, who);
    else if (claims.job === true) {
      // It waits on, and is one usage event in the end.
      this.#refuse(call, { code: "service_busy", detail: "The service is busy with other calls." }, []);
    } else if (why === "full" || why === "too_long") {
      const wait = terms === undefined ? 1 : queue.retryAfter(terms);
      const problem = { code: "service_busy", detail: busyWords(why, call.queuedMs ?? 0, wait) } as const;
      this.#record(call, who, "denied", problem);
      this.#answerPeeking(call, who, problem, ["Retry-After", String(wait)]);
    } else {
      const detail = "The gateway is about to end: send the request again.";
      this.#refuseAuthenticated(call, who, "unavailable", detail, ["Retry-After", "1"]);
    }
  }

  /** Whose client is gone before anything was asked of it: no upstream is to work for nobody. */
  #leave(call: ApiCall): void {
    call.incoming.socket.destroy();
    call.onEnd({ outcome: "aborted", status: 0, bytesIn: 0, bytesOut: 0, serviceMs: 0 });
  }

  /** While it waited for its permit, it may have been revoked, or the service removed or taken from it. */
  #forwardLate(call: ApiCall, { claims }: Admitted, permit: Permit): void {
    const now = this.#deps.authenticator.judge(claims);
    if (!this.#mayStillCall(call, now)) this.#permit(call, now);
    else {
      call.quotaTerms = this.#deps.quotas.termsOf(now.client, claims);
      this.#forward(call, now, permit);
    }
  }

  #mayStillCall(call: ApiCall, now: Authentication): now is Admitted {
    const { follower } = this.#deps;
    const upstream = follower.upstream(call.service);
    if (now.kind !== "ok" || upstream === undefined || upstream.disabled !== undefined) return false;
    if (!mayCall(follower.termsOf(now.client), call.service)) return false;
    call.upstream = upstream;
    return true;
  }

  /** The slow way to the next step. */
  #later<T>(call: ApiCall, value: Promise<T>, step: (value: T) => void): void {
    value.then(step).catch((error: unknown) => this.#fail(call, error));
  }

  #fail(call: ApiCall, error: unknown): void {
    this.#deps.onError(error, call.requestId);
    call.onServed();
    if (call.outgoing.headersSent) call.outgoing.destroy();
    else this.#refuse(call, { code: "internal_error", detail: "The gateway failed to answer." }, []);
  }

  #refuseStale(call: ApiCall): void {
    this.#deps.onStranger("unavailable");
    const detail = "The gateway cannot reach its store at this moment: try again soon.";
    this.#refuse(call, { code: "unavailable", detail }, ["Retry-After", "5"]);
  }

  #refuseStranger(call: ApiCall, who: Exclude<Authentication, Admitted>): void {
    if (who.kind === "unsure") {
      this.#refuseStale(call);
      return;
    }
    if (who.kind === "missing") {
      this.#deps.onStranger("missing_token");
      const detail = "Send a bearer token: get one from POST /auth/token.";
      this.#refuse(call, { code: "missing_token", detail }, ["WWW-Authenticate", BEARER]);
      return;
    }
    const detail = "The token is not valid (any more): get a new one from POST /auth/token.";
    if (who.kind === "invalid") this.#deps.onStranger("invalid_token");
    else this.#record(call, who, "denied", { code: "invalid_token", detail });
    this.#refuse(call, { code: "invalid_token", detail }, ["WWW-Authenticate", `${BEARER}, error="invalid_token"`]);
  }

  #refuseLimited(call: ApiCall, who: Admitted, permit: Permit): void {
    const wait = secondsUntil(permit.resetMs);
    const detail = `The limit of ${permit.limit} requests in 60 s is used up: try again in ${wait} s.`;
    this.#record(call, who, "limited", { code: "rate_limited", detail });
    this.#answer(call, who, permit, { code: "rate_limited", detail }, ["Retry-After", String(wait)]);
  }

  #refuseOverQuota(call: ApiCall, who: Admitted, verdict: QuotaRefusal): void {
    const { problem, retryAfter } = quotaProblem(verdict, this.#deps.steadyNow());
    const refusal = { code: "quota_exceeded", ...problem } as const;
    this.#record(call, who, "limited", refusal);
    this.#answerPeeking(call, who, refusal, ["Retry-After", String(retryAfter)]);
  }

  #refuseAuthenticated(
    call: ApiCall,
    who: Admitted,
    code: ProblemCode,
    detail: string,
    fields: readonly string[],
  ): void {
    this.#record(call, who, "denied", { code, detail });
    this.#answerPeeking(call, who, { code, detail }, fields);
  }

  /** Answers a call that took no permit. */
  #answerPeeking(call: ApiCall, who: Admitted, refusal: Refusal, fields: readonly string[]): void {
    const { limit } = this.#deps.follower.termsOf(who.client);
    const permit: MaybePromise<Permit> = this.#deps.limiter.peek(who.client.id, limit);
    if (permit instanceof Promise) this.#later(call, permit, (late) => this.#answer(call, who, late, refusal, fields));
    else this.#answer(call, who, permit, refusal, fields);
  }

  /** With where the client stands. */
  #answer(call: ApiCall, who: Admitted, permit: Permit, { code, ...more }: Refusal, fields: readonly string[]): void {
    const { quotas, steadyNow } = this.#deps;
    const terms = quotas.termsOf(who.client, who.claims);
    const answer = (standings: readonly QuotaStanding[] | undefined): void => {
      const known = standings && { standings, now: steadyNow() };
      this.#refuse(call, { code, ...more }, [...fields, ...answerFields(who.client.name, permit, known)]);
    };
    const standings = terms === undefined ? undefined : quotas.standing(terms);
    if (standings instanceof Promise) this.#later(call, standings, answer);
    else answer(standings);
  }

  #refuse(call: ApiCall, refusal: Refusal, fields: readonly string[]): void {
    refuse(call.incoming, call.outgoing, { ...refusal, requestId: call.requestId }, [...fields, ...call.cors.own]);
  }

  /** The usage of a call that is answered with a problem. */
  #record(
    call: ApiCall,
    who: Admitted | Ended,
    outcome: Extract<Outcome, "denied" | "limited">,
    refusal: Refusal,
  ): void {
    const { method, requestId } = call;
    const bytesOut = method === "HEAD" ? 0 : Buffer.byteLength(problemBody({ ...refusal, requestId }));
    const { status } = PROBLEMS[refusal.code];
    const isOwnReason = refusal.code === "quota_exceeded" || refusal.code === "service_busy";
    const why = who.kind === "ended" ? who.why : isOwnReason ? refusal.code : undefined;
    const ended = { outcome, status, bytesIn: 0, bytesOut, ...(why !== undefined && { refusal: why }) };
    this.#deps.meter.end(call, recordedAs(who.client.name, who.claims), ended);
  }
}

type Refusal = Omit<Problem, "requestId">;

const busyWords = (why: "full" | "too_long", waitMs: number, seconds: number): string => {
  const what =
    why === "full"
      ? "The service has all the calls it takes, and no more may wait for it"
      : `The service had no room for this call within ${Math.round(waitMs / 100) / 10} s`;
  return `${what}: try again in ${seconds} s.`;
};
