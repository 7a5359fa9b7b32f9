import { FAULTS, type Fault } from "@aigw/core/services";

/** So many failures in a row, and a target rests. */
const MOST_FAILURES = 3;
/** The first rest; each one that ends in another failure is followed by one twice as long. */
const FIRST_REST_MS = 1_000;
const LONGEST_REST_MS = 30_000;
/** Of a target whose health is asked for: so many failed checks in a row take it out. */
const MOST_FAILED_CHECKS = 2;

/** Somebody under way to a target: a call, by identity. */
type Caller = object;

/** Told when a target goes down or comes up. @param wasSince since when it was what it is no more, as {@link TargetState.since} */
export type OnTargetChange = (target: TargetState, wasSince: number) => void;

/** Why a target is down: what was wrong with calls or with its last check, or the status of that check. */
export type DownReason = Fault | "unhealthy";

/**
 * What is known of one target of a service: whether it takes calls, and how many it has. It outlives the versions of
 * its service. See docs/decisions/081-when-a-target-is-down.md.
 */
export class TargetState {
  /** The service's name, and the target's URL. */
  readonly service: string;
  readonly url: string;
  openCalls = 0;
  /** Wall clock, milliseconds since the epoch: since when it is up or down. */
  since: number;
  /** Of one that is down. */
  fault: DownReason | undefined;
  /** Its health is asked for: only a check brings it back. */
  watched = false;
  readonly #onChange: OnTargetChange;
  readonly #wallNow: () => number;
  #isDown = false;
  #failures = 0;
  #failedChecks = 0;
  #restMs = FIRST_REST_MS;
  /** By the proxy's clock; it counts while the target is down. */
  #restUntil = 0;
  /** The one call that finds out whether a target that has rested works again. */
  #probe: Caller | undefined;

  constructor(service: string, url: string, wallNow: () => number, onChange: OnTargetChange) {
    this.service = service;
    this.url = url;
    this.since = wallNow();
    this.#wallNow = wallNow;
    this.#onChange = onChange;
  }

  get isDown(): boolean {
    return this.#isDown;
  }

  /** Whether a call may go to it. */
  takes(now: number): boolean {
    if (!this.#isDown) return true;
    return !this.watched && this.#probe === undefined && now >= this.#restUntil;
  }

  /** When it may take a call again, milliseconds from now; 0 for one that does, or that nobody can say it of. */
  restMs(now: number): number {
    return this.#isDown ? Math.max(0, this.#restUntil - now) : 0;
  }

  begun(caller: Caller): void {
    this.openCalls += 1;
    if (this.#isDown) this.#probe ??= caller;
  }

  /** Whatever became of it; {@link answered}, {@link completed} or {@link failed} come before. */
  ended(caller: Caller): void {
    this.openCalls -= 1;
    if (this.#probe === caller) this.#probe = undefined;
  }

  /** The head of an answer came. */
  answered(): void {
    if (!this.#isDown || this.watched) return;
    this.#setDown(false, undefined);
    // Until it has answered one call to its end, the next failure is enough.
    this.#failures = MOST_FAILURES - 1;
  }

  /** A whole answer came. */
  completed(): void {
    this.#failures = 0;
    if (!this.#isDown) this.#restMs = FIRST_REST_MS;
  }

  failed(caller: Caller, fault: Fault, now: number): void {
    if (!counts(fault)) return;
    if (this.#isDown) {
      // Of those that were under way when it went down, each would make the rest longer.
      if (this.#probe === caller) this.#rest(now);
      return;
    }
    this.#failures += 1;
    if (this.#failures < MOST_FAILURES) return;
    this.#rest(now);
    this.#setDown(true, fault);
  }

  /** Its health was asked for. @param fault why there was no answer */
  checked(isHealthy: boolean, fault: Fault | undefined, now: number): void {
    // That the gateway has no room says nothing of the target.
    if (fault !== undefined && FAULTS[fault].kind === "gateway") return;
    if (isHealthy) {
      this.#failedChecks = 0;
      if (!this.#isDown || now < this.#restUntil) return;
      this.#failures = MOST_FAILURES - 1;
      this.#setDown(false, undefined);
      return;
    }
    this.#failedChecks += 1;
    if (this.#isDown || this.#failedChecks < MOST_FAILED_CHECKS) return;
    this.#restUntil = 0;
    this.#setDown(true, fault ?? "unhealthy");
  }

  #rest(now: number): void {
    this.#restUntil = now + this.#restMs;
    this.#restMs = Math.min(LONGEST_REST_MS, this.#restMs * 2);
  }

  #setDown(isDown: boolean, fault: DownReason | undefined): void {
    const wasSince = this.since;
    this.#isDown = isDown;
    this.fault = fault;
    this.since = this.#wallNow();
    this.#onChange(this, wasSince);
  }
}

/** What happens to targets in good health does not count: nobody can rule out that a kept connection is closed. */
const counts = (fault: Fault): boolean => fault !== "kept_connection_closed" && FAULTS[fault].kind !== "gateway";
