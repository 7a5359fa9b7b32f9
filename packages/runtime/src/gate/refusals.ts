import type { Limiter, MaybePromise, Outcome, Permit } from "@aigw/core";
import type { QuotaStanding } from "@aigw/core/quotas";
import type { ControlFollower } from "../follow/control-follower.ts";
import { PROBLEMS, type Problem, type ProblemCode, problemBody } from "../http-errors.ts";
import type { CallMeter } from "../metering/call-meter.ts";
import { refuse } from "../proxy/lingering-close.ts";
import { secondsUntil } from "../seconds.ts";
import { INVALID_TOKEN, MISSING_TOKEN, OUT_OF_SCOPE, STORE_AWAY } from "../unauthorized.ts";
import { answerFields } from "./answer-fields.ts";
import { type ApiCall, recordedAs } from "./api-call.ts";
import type { Admitted, Authentication, Ended } from "./authenticator.ts";
import { answerBroken, type Broken, brokenAs } from "./job-request.ts";
import type { QuotaGate, QuotaRefusal } from "./quota-gate.ts";
import { quotaProblem } from "./quota-problem.ts";

export interface RefusalsDeps {
  readonly follower: Pick<ControlFollower, "termsOf">;
  readonly limiter: Pick<Limiter, "peek">;
  readonly quotas: Pick<QuotaGate, "termsOf" | "standing">;
  /** The store's steady milliseconds. */
  readonly steadyNow: () => number;
  readonly meter: CallMeter;
  /** A request that belongs to nobody was refused. */
  readonly onStranger: (code: ProblemCode) => void;
  readonly onError: (error: unknown, requestId: string) => void;
}

/** What the gate answers itself, and how the usage of such calls is recorded. */
export class Refusals {
  readonly #deps: RefusalsDeps;

  constructor(deps: RefusalsDeps) {
    this.#deps = deps;
  }

  /** The slow way to the next step; what is thrown on it is answered. */
  later<T>(call: ApiCall, value: Promise<T>, step: (value: T) => void): void {
    value.then(step).catch((error: unknown) => this.fail(call, error));
  }

  fail(call: ApiCall, error: unknown): void {
    this.#deps.onError(error, call.requestId);
    call.onServed();
    call.cancelClaim();
    call.onFailed();
    if (call.outgoing.headersSent) call.outgoing.destroy();
    else this.#refuse(call, { code: "internal_error", detail: "The gateway failed to answer." }, []);
  }

  stale(call: ApiCall): void {
    this.#deps.onStranger("unavailable");
    const { fields, ...refusal } = STORE_AWAY;
    this.#refuse(call, refusal, fields);
  }

  stranger(call: ApiCall, who: Exclude<Authentication, Admitted>): void {
    if (who.kind === "unsure") {
      this.stale(call);
      return;
    }
    if (who.kind === "missing") {
      const { fields, ...refusal } = MISSING_TOKEN;
      this.#deps.onStranger(refusal.code);
      this.#refuse(call, refusal, fields);
      return;
    }
    const { fields, ...refusal } = INVALID_TOKEN;
    if (who.kind === "invalid") this.#deps.onStranger(refusal.code);
    else this.#record(call, who, "denied", refusal);
    this.#refuse(call, refusal, fields);
  }

  limited(call: ApiCall, who: Admitted, permit: Permit): void {
    const wait = secondsUntil(permit.resetMs);
    const detail = `The limit of ${permit.limit} requests in 60 s is used up: try again in ${wait} s.`;
    this.#record(call, who, "limited", { code: "rate_limited", detail });
    this.#answer(call, who, permit, { code: "rate_limited", detail }, ["Retry-After", String(wait)]);
  }

  overQuota(call: ApiCall, who: Admitted, verdict: QuotaRefusal): void {
    const { problem, retryAfter } = quotaProblem(verdict, this.#deps.steadyNow());
    const refusal = { code: "quota_exceeded", ...problem } as const;
    this.#record(call, who, "limited", refusal);
    this.#answerPeeking(call, who, refusal, ["Retry-After", String(retryAfter)]);
  }

  outOfScope(call: ApiCall, who: Admitted): void {
    this.denied(call, who, "insufficient_scope", `You may not call '${call.service}'.`, OUT_OF_SCOPE);
  }

  denied(call: ApiCall, who: Admitted, code: ProblemCode, detail: string, fields: readonly string[]): void {
    this.#record(call, who, "denied", { code, detail });
    this.#answerPeeking(call, who, { code, detail }, fields);
  }

  /** Whose client is gone before anything was asked of it: no upstream is to work for nobody. */
  leave(call: ApiCall): void {
    call.incoming.socket.destroy();
    call.onEnd({ outcome: "aborted", status: 0, bytesIn: 0, bytesOut: 0, serviceMs: 0 });
  }

  /** The request of a job did not come to its end. */
  brokenOff(call: ApiCall, who: Admitted, broken: Broken): void {
    const ended = { ...brokenAs(broken), bytesIn: broken.bytesIn, bytesOut: 0 };
    this.#deps.meter.end(call, recordedAs(who.client.name, who.claims), ended);
    answerBroken(call, broken);
  }

  /** The queue of its service has no place for it. @param wait seconds */
  busy(call: ApiCall, who: Admitted, why: "full" | "too_long", wait: number): void {
    const problem = { code: "service_busy", detail: busyWords(why, call.queuedMs ?? 0, wait) } as const;
    this.#record(call, who, "denied", problem);
    this.#answerPeeking(call, who, problem, ["Retry-After", String(wait)]);
  }

  /** The call of a job, which waits on and is one usage event in the end. */
  putBack(call: ApiCall): void {
    this.#refuse(call, { code: "service_busy", detail: "The service is busy with other calls." }, []);
  }

  /** Answers a call that took no permit. */
  #answerPeeking(call: ApiCall, who: Admitted, refusal: Refusal, fields: readonly string[]): void {
    const { limit } = this.#deps.follower.termsOf(who.client);
    const permit: MaybePromise<Permit> = this.#deps.limiter.peek(who.client.id, limit);
    if (permit instanceof Promise) this.later(call, permit, (late) => this.#answer(call, who, late, refusal, fields));
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
    if (standings instanceof Promise) this.later(call, standings, answer);
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
      : `The service had no room for this call within ${Math.floor(waitMs / 100) / 10} s`;
  return `${what}: try again in ${seconds} s.`;
};
