import { type Fault, type HealthCheck, isHealthyStatus } from "@aigw/core/services";
import type { Route } from "./route.ts";
import type { TargetState } from "./target-state.ts";
import type { Connection, ResponseHandler } from "./upstream/connection.ts";
import type { ResponseHead } from "./upstream/response-head.ts";
import { faultOf } from "./upstream-failure.ts";

/** An answer that comes later is none, however seldom it is asked for. */
const LONGEST_WAIT_MS = 10_000;

/** Asks targets for their health, each on a connection of its own, as their services say. */
export class HealthChecks {
  #checks = new Map<TargetState, TargetCheck>();

  /** @param routes to all targets whose health is to be asked for from now on */
  follow(routes: readonly Route[]): void {
    const checks = new Map<TargetState, TargetCheck>();
    for (const route of routes) {
      const { state, upstream } = route;
      const { health } = upstream;
      if (health === undefined) continue;
      const check = this.#checks.get(state) ?? new TargetCheck(state);
      check.look(route, health);
      checks.set(state, check);
      this.#checks.delete(state);
    }
    for (const check of this.#checks.values()) check.stop();
    this.#checks = checks;
  }

  /** To be called often. @param now monotonic, milliseconds */
  sweep(now: number): void {
    for (const check of this.#checks.values()) check.sweep(now);
  }

  close(): void {
    this.follow([]);
  }
}

/** The check of one target. */
class TargetCheck implements ResponseHandler {
  readonly #state: TargetState;
  #route!: Route;
  #health!: HealthCheck;
  #dueAt = Number.NEGATIVE_INFINITY;
  #askedAt = 0;
  #now = 0;
  #connection: Connection | undefined;
  #isJudged = false;

  constructor(state: TargetState) {
    this.#state = state;
    state.watched = true;
  }

  look(route: Route, health: HealthCheck): void {
    this.#route = route;
    this.#health = health;
  }

  stop(): void {
    this.#end();
    this.#state.watched = false;
  }

  sweep(now: number): void {
    this.#now = now;
    const { everyMs } = this.#health;
    if (this.#connection !== undefined) {
      if (now - this.#askedAt < Math.min(everyMs, LONGEST_WAIT_MS)) return;
      const fault = this.#connection.opening ? "connect_timeout" : "answer_timeout";
      if (!this.#isJudged) this.#judge(false, fault);
      this.#end();
    }
    if (now >= this.#dueAt) this.#ask(now, everyMs);
  }

  #ask(now: number, everyMs: number): void {
    // Gateways that started together are not to ask together for ever.
    this.#dueAt = now + everyMs * (0.9 + Math.random() * 0.2);
    this.#askedAt = now;
    this.#isJudged = false;
    const { pool, service } = this.#route;
    const fields = ["User-Agent", "aigw-health", "Accept", "*/*", ...service.flat];
    const connection = pool.open();
    this.#connection = connection;
    connection.request("GET", this.#health.path, fields, null, this);
  }

  onInterim(): void {}

  onHead({ status }: ResponseHead): void {
    this.#judge(isHealthyStatus(this.#health.status, status), undefined);
  }

  onContent(): void {}

  onReadEnd(): void {}

  onDrain(): void {}

  onEnd(): void {
    this.#end();
  }

  onError(error: Error): void {
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection !== undefined && !this.#isJudged) this.#judge(false, faultOf(error, connection, undefined));
  }

  #judge(isHealthy: boolean, fault: Fault | undefined): void {
    this.#isJudged = true;
    this.#state.checked(isHealthy, fault, this.#now);
  }

  #end(): void {
    this.#connection?.destroy();
    this.#connection = undefined;
  }
}
