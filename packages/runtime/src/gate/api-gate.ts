import type { Limiter, MaybePromise, Permit } from "@aigw/core";
import type { Client } from "@aigw/core/clients";
import type { Job } from "@aigw/core/jobs";
import { mayCall } from "@aigw/core/plans";
import type { QueueRefusal, QueueTerms } from "@aigw/core/queue";
import type { QuotaTerms, QuotaVerdict } from "@aigw/core/quotas";
import type { ControlFollower } from "../follow/control-follower.ts";
import type { GatewayRequest } from "../gateway-env.ts";
import { type JobCall, jobClaims } from "../jobs/job-call.ts";
import type { JobIntake } from "../jobs/job-intake.ts";
import { type JobWish, jobWish } from "../jobs/prefer.ts";
import type { Callers } from "../peer/callers.ts";
import type { ReverseProxy } from "../proxy/reverse-proxy.ts";
import { type AnswerQuotas, answerFields } from "./answer-fields.ts";
import { ApiCall, type ForwardedCall } from "./api-call.ts";
import type { Admitted, Authentication, Authenticator } from "./authenticator.ts";
import { answerTaken } from "./job-request.ts";
import type { QueueGate, WaitingCall } from "./queue-gate.ts";
import type { QuotaGate } from "./quota-gate.ts";
import { Refusals, type RefusalsDeps } from "./refusals.ts";

export interface ApiGateDeps extends RefusalsDeps {
  readonly follower: ControlFollower;
  readonly authenticator: Authenticator;
  readonly limiter: Limiter;
  readonly quotas: QuotaGate;
  readonly queue: QueueGate;
  readonly proxy: ReverseProxy<ForwardedCall>;
  readonly callers: Callers;
  /** Takes calls in that are to become jobs. */
  readonly jobs: Pick<JobIntake, "take">;
}

/** Of a job: it was taken when its request came, and is given back to nobody. */
const TAKEN_BEFORE: Permit = { admitted: true, at: 0, limit: 0, remaining: 0, resetMs: 0 };

/**
 * `/api/<service>/<rest>`: fresh ▶ authenticate ▶ permit ▶ limit ▶ quota ▶ queue ▶ forward; the call itself is metered
 * from here to its end. With a token seen before, a fresh state and an embedded store, nothing here waits: the request reaches the
 * upstream in the turn in which it arrived.
 */
export class ApiGate {
  readonly #deps: ApiGateDeps;
  readonly #refusals: Refusals;

  constructor(deps: ApiGateDeps) {
    this.#deps = deps;
    this.#refusals = new Refusals(deps);
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
      this.#refusals.fail(call, error);
    }
  }

  #authenticate(call: ApiCall, fresh: boolean): void {
    if (!fresh) {
      this.#refusals.stale(call);
      return;
    }
    const who = this.#deps.authenticator.authenticate(call.incoming.headers.authorization);
    if (who instanceof Promise) this.#later(call, who, (is) => this.#permit(call, is));
    else this.#permit(call, who);
  }

  #permit(call: ApiCall, who: Authentication): void {
    const upstream = this.#deps.follower.upstream(call.service);
    if (who.kind === "ok" || who.kind === "ended") call.plan = who.client.plan;
    if (who.kind !== "ok") this.#refusals.stranger(call, who);
    else if (upstream === undefined) {
      this.#refusals.denied(call, who, "unknown_service", "There is no service of this name.", []);
    } else if (!mayCall(this.#deps.follower.termsOf(who.client), call.service)) {
      this.#refusals.outOfScope(call, who);
    } else if (upstream.disabled !== undefined) {
      const detail = `The service is out of use.${upstream.disabled === "" ? "" : ` ${upstream.disabled}`}`;
      this.#refusals.denied(call, who, "service_disabled", detail, ["Retry-After", "60"]);
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
      this.#refusals.overQuota(call, who, refusal);
      return;
    }
    const permit = this.#deps.limiter.acquire(who.client.id, this.#deps.follower.termsOf(who.client).limit);
    if (permit instanceof Promise) this.#later(call, permit, (granted) => this.#forwardLate(call, who, granted));
    else this.#forward(call, who, permit);
  }

  #forward(call: ApiCall, who: Admitted, permit: Permit): void {
    if (!permit.admitted) {
      this.#refusals.limited(call, who, permit);
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
      this.#refusals.leave(call);
      return;
    }
    this.#later(call, this.#deps.jobs.take(call, who, wish), (taken) => {
      if (taken.kind === "taken") answerTaken(call, who.client.name, permit, taken.job);
      else if (taken.kind === "broken") this.#refusals.brokenOff(call, who, taken);
      else this.#refusals.denied(call, who, taken.code, taken.detail, taken.fields);
    });
  }

  /** The call of a job: quota ▶ queue ▶ forward. Its client's limit has let its request in when that came. */
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
      this.#refusals.fail(call, error);
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
      this.#afterRefund(call, who.claims, permit, () => this.#refusals.overQuota(call, who, verdict));
      return;
    }
    if (call.isCountedBefore) quotas.countedBefore(verdict.claim);
    call.claim = verdict.claim;
    call.quotas = quotas;
    call.body = undefined;
    this.#send(call, who, permit, { standings: quotas.standingOf(verdict.claim), now: steadyNow() });
  }

  /** Gives the permit of a call that does not begin back, and then says so. */
  #afterRefund(call: ApiCall, { clientId }: Admitted["claims"], permit: Permit, refuse: () => void): void {
    const isTaken = permit.admitted && permit !== TAKEN_BEFORE;
    const refunded: MaybePromise<void> = isTaken ? this.#deps.limiter.refund(clientId, permit) : undefined;
    if (refunded instanceof Promise) this.#later(call, refunded, refuse);
    else refuse();
  }

  /** As {@link ApiGate.#forwardLate}: a call that was let in and does not begin counts for nothing. */
  #decideLate(call: ApiCall, { claims }: Admitted, permit: Permit, verdict: QuotaVerdict): void {
    const now = this.#deps.authenticator.judge(claims);
    if (this.#mayStillCall(call, now)) this.#decide(call, now, permit, verdict);
    else {
      if (verdict.claim !== undefined) this.#deps.quotas.cancel(verdict.claim);
      this.#afterRefund(call, claims, permit, () => this.#permit(call, now));
    }
  }

  /** @param known where its client stands, if that is not as the permit said when it was taken */
  #send(call: ApiCall, who: Admitted, permit: Permit, quotas: AnswerQuotas | undefined, known: Permit = permit): void {
    const { client } = who;
    call.claims = who.claims;
    call.clientName = client.name;
    const terms = this.#deps.queue.termsOf(call.upstream);
    if (terms === undefined || this.#enter(call, who, permit, terms)) this.#dispatch(call, who, known, quotas);
  }

  #dispatch(call: ApiCall, who: Admitted, permit: Permit, quotas: AnswerQuotas | undefined): void {
    call.responseFields = answerFields(call.clientName, permit, quotas);
    if (who.claims.job === true || this.#deps.callers.identify(call)) this.#deps.proxy.forward(call);
    else this.#refusals.leave(call);
  }

  /** @returns whether the service has room for it at once */
  #enter(call: ApiCall, { claims }: Admitted, permit: Permit, terms: QueueTerms): boolean {
    const waiting = this.#deps.queue.enter(terms, call, claims, permit, this);
    const { state, why } = waiting.ticket;
    if (state === "refused") this.onRefused(waiting, why ?? "full");
    return state === "has_slot";
  }

  /** While it waited, its client may have lost its right, or the gateway its store. */
  onTurn(waiting: WaitingCall): void {
    const { call } = waiting;
    try {
      const fresh = this.#deps.follower.isFresh();
      if (fresh instanceof Promise) this.#later(call, fresh, (is) => this.#takeTurn(waiting, is));
      else this.#takeTurn(waiting, fresh);
    } catch (error) {
      this.#refusals.fail(call, error);
    }
  }

  #takeTurn(waiting: WaitingCall, isFresh: boolean): void {
    const { call, claims, permit } = waiting;
    const now = this.#deps.authenticator.judge(claims);
    if (isFresh && this.#mayStillCall(call, now)) {
      this.#goOn(waiting, now);
      return;
    }
    call.onServed();
    call.cancelClaim();
    this.#afterRefund(call, claims, permit, () => {
      if (isFresh) this.#permit(call, now);
      else this.#refusals.stale(call);
    });
  }

  /** A call that has waited goes to its service, or waits for what it needs by now, be it of a service of the same name. */
  #goOn({ call, permit, ticket }: WaitingCall, who: Admitted): void {
    const { limiter, follower, quotas, queue, steadyNow } = this.#deps;
    const standings = call.claim && { standings: quotas.standingOf(call.claim), now: steadyNow() };
    const go = (known: Permit): void => {
      const terms = queue.termsOf(call.upstream);
      const isItsTurn = ticket.state === "has_slot" && (terms === undefined || terms.key === ticket.line.terms.key);
      if (isItsTurn) {
        this.#dispatch(call, who, known, standings);
        return;
      }
      call.onServed();
      this.#send(call, who, permit, standings, known);
    };
    // Where it stands by now; the permit itself was taken when it came.
    const known = limiter.peek(who.client.id, follower.termsOf(who.client).limit);
    if (known instanceof Promise) this.#later(call, known, go);
    else go(known);
  }

  onGone({ call }: WaitingCall): void {
    call.cancelClaim();
    this.#refusals.leave(call);
  }

  onRefused(waiting: WaitingCall, why: QueueRefusal): void {
    const { call, claims, permit, ticket } = waiting;
    if (call.incoming.socket.destroyed) {
      this.onGone(waiting);
      return;
    }
    const who = this.#deps.authenticator.judge(claims);
    if (why === "ended" && this.#mayStillCall(call, who) && !this.#deps.queue.isEnding(call)) {
      this.#goOn(waiting, who);
      return;
    }
    call.cancelClaim();
    this.#afterRefund(call, claims, permit, () => this.#refuseWaiting(call, claims, why, ticket.line.terms));
  }

  #refuseWaiting(call: ApiCall, claims: Admitted["claims"], why: QueueRefusal, terms: QueueTerms): void {
    const { authenticator, queue } = this.#deps;
    const who = authenticator.judge(claims);
    if (!this.#mayStillCall(call, who)) this.#permit(call, who);
    else if (claims.job === true) this.#refusals.putBack(call);
    else if (why === "full" || why === "too_long") {
      this.#refusals.busy(call, who, why, queue.retryAfter(terms));
    } else {
      const what =
        why === "closing" || queue.isEnding(call) ? "The gateway is about to end" : "The call had to stop waiting";
      this.#refusals.denied(call, who, "unavailable", `${what}: send the request again.`, ["Retry-After", "1"]);
    }
  }

  /** While it waited for its permit, it may have been revoked, or the service removed or taken from it. */
  #forwardLate(call: ApiCall, { claims }: Admitted, permit: Permit): void {
    const now = this.#deps.authenticator.judge(claims);
    if (!this.#mayStillCall(call, now)) this.#afterRefund(call, claims, permit, () => this.#permit(call, now));
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

  #later<T>(call: ApiCall, value: Promise<T>, step: (value: T) => void): void {
    this.#refusals.later(call, value, step);
  }
}
