import { FAULTS, type Fault } from "@aigw/core/services";
import type { Problem } from "../http-errors.ts";
import type { Balance } from "./balance.ts";
import type { Call, ExchangeOwner, TimedExchange, Upstream } from "./call.ts";
import { mayGoElsewhere } from "./retry.ts";
import type { Route } from "./route.ts";
import type { TargetState } from "./target-state.ts";
import type { Connection } from "./upstream/connection.ts";

/** Where one call goes: the target that was chosen for it, the one it goes to when that fails, and what they are told of it. */
export class Destination<C extends Call> {
  readonly #exchange: TimedExchange<C>;
  readonly #owner: ExchangeOwner<C>;
  /** Of the service that was called, or of the one that stands in for it. */
  #balance: Balance;
  /** The one that was chosen last; undefined when no target takes calls. */
  #route: Route | undefined;
  /** As long as the call is one of its open ones. */
  #target: TargetState | undefined;

  constructor(exchange: TimedExchange<C>, balance: Balance, owner: ExchangeOwner<C>, now: number) {
    this.#exchange = exchange;
    this.#owner = owner;
    this.#balance = balance;
    this.#route = balance.pick(now) ?? this.#pickStandIn(now);
  }

  get route(): Route | undefined {
    return this.#route;
  }

  /** The upstream that the call goes to. */
  get upstream(): Upstream {
    return this.#route?.upstream ?? this.#exchange.call.upstream;
  }

  /** Whether the call may be tried elsewhere when it fails. */
  get hasOthers(): boolean {
    return this.#balance.hasOthers;
  }

  /** The call is one of this target's open ones from here on. */
  enter(route: Route): void {
    this.#route = route;
    this.#target = route.state;
    route.state.begun(this.#exchange);
  }

  leave(): void {
    const target = this.#target;
    if (target === undefined) return;
    this.#target = undefined;
    target.ended(this.#exchange);
  }

  /** The head of an answer came. */
  answered(): void {
    this.#target?.answered();
  }

  /** A whole answer came. */
  completed(): void {
    this.#target?.completed();
  }

  /** It is the target's fault that there is no whole answer. */
  blame(fault: Fault): void {
    this.#target?.failed(this.#exchange, fault, this.#owner.clock());
  }

  /**
   * After a failure.
   * @param isAllThere whether the request's content can be sent again
   * @returns where the call may go in place of where it failed; undefined: nowhere else
   */
  elsewhere(failed: Connection, fault: Fault, isAllThere: boolean): Route | undefined {
    const isHere = FAULTS[fault].kind === "gateway";
    if (isHere || !this.#balance.hasOthers || !isAllThere) return undefined;
    if (!mayGoElsewhere(failed, this.#exchange.call.incoming.method)) return undefined;
    const now = this.#owner.clock();
    return this.#balance.pick(now, this.#route) ?? this.#pickStandIn(now, this.#route);
  }

  /** @param fault of the target that it leaves */
  moveTo(route: Route, fault: Fault): void {
    this.blame(fault);
    this.#target?.ended(this.#exchange);
    this.enter(route);
    this.#owner.wentElsewhere(this.#exchange.call.upstream);
  }

  /** Seconds: until a target may be tried again, or for what passes soon. */
  retryAfter(code: Problem["code"]): string {
    if (code !== "service_down") return "5";
    const { everyMs = 0 } = this.#exchange.call.upstream.health ?? {};
    const waitMs = Math.max(everyMs, this.#balance.restMs(this.#owner.clock()));
    return String(Math.max(1, Math.ceil(waitMs / 1_000)));
  }

  /** @returns the target to go to of the service that takes the calls while this one is down */
  #pickStandIn(now: number, except?: Route): Route | undefined {
    const { upstream } = this.#exchange.call;
    if (upstream.fallback === undefined) return undefined;
    const standIn = this.#owner.standIn(upstream);
    const route = standIn?.pick(now, except);
    if (standIn !== undefined && route !== undefined) this.#balance = standIn;
    return route;
  }
}
