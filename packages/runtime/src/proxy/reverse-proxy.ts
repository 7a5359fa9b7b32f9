import { createHash } from "node:crypto";
import { Balance } from "./balance.ts";
import type { Call, Exchange, ExchangeOwner, TimedExchange, Upstream, UpstreamTarget } from "./call.ts";
import { DenseList } from "./dense-list.ts";
import { HealthChecks } from "./health-checks.ts";
import { Route } from "./route.ts";
import { SendQueues } from "./send-queues.ts";
import { type OnTargetChange, TargetState } from "./target-state.ts";
import { ConnectionPool } from "./upstream/connection-pool.ts";
import type { ConnectionFacts, ConnectorOptions } from "./upstream/connector.ts";
import { UpstreamExchange } from "./upstream-exchange.ts";

const SWEEP_MS = 100;
/**
 * With so many calls under way, streams of events are held as soon as they have begun, and not at the next sweep: those of
 * a crowd that comes at once have 10 kB of a parser each until then, and memory that was taken is not given back.
 */
const CROWD = 128;

export interface ReverseProxyOptions extends Pick<ConnectorOptions, "openFiles" | "lookup"> {
  /** Monotonic, milliseconds. */
  readonly clock?: () => number;
  /** Milliseconds since the epoch. */
  readonly wallNow?: () => number;
  readonly onTargetChange?: OnTargetChange;
  /** A call of this service went to another target, or to its fallback. */
  readonly onElsewhere?: (service: string) => void;
}

/** Forwards calls to their upstreams and streams the answers back. */
export class ReverseProxy<C extends Call = Call> implements ExchangeOwner<C> {
  readonly clock: () => number;
  readonly sendQueues: SendQueues = new SendQueues();
  isGoingAway = false;
  readonly #open = new DenseList<TimedExchange<C>>();
  readonly #toHold: TimedExchange<C>[] = [];
  /** By origin, and by what a service says of its connections. */
  readonly #pools = new Map<string, ConnectionPool>();
  /** By service and URL. */
  readonly #states = new Map<string, TargetState>();
  readonly #balances = new WeakMap<Upstream, Balance>();
  readonly #standIns = new WeakMap<Upstream, { readonly of: Upstream; readonly by: Upstream }>();
  readonly #checks = new HealthChecks();
  /** To all targets of all services, as {@link follow} was told. */
  #routes: readonly Route[] = [];
  readonly #options: ReverseProxyOptions;
  readonly #sweeper: NodeJS.Timeout;

  constructor(options: ReverseProxyOptions = {}) {
    this.clock = options.clock ?? (() => performance.now());
    this.#options = options;
    options.openFiles?.onFull(() => this.#closeOneIdle());
    // One timer that looks at every open exchange, instead of timers that every request sets, moves and clears.
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  /** Calls under way. */
  get open(): number {
    return this.#open.size;
  }

  forward(call: C): Exchange {
    const exchange = new UpstreamExchange(call, this.#balanceOf(call.upstream), this);
    this.#open.add(exchange);
    exchange.start();
    return exchange;
  }

  holdSoon(exchange: TimedExchange<C>): void {
    if (this.#open.size < CROWD) return;
    // Not within the read that brought it: its request may still be in the parser's hands.
    if (this.#toHold.push(exchange) === 1) setImmediate(this.#holdAll);
  }

  readonly #holdAll = (): void => {
    for (const exchange of this.#toHold.splice(0)) exchange.hold();
  };

  ended(exchange: TimedExchange<C>): void {
    this.#open.delete(exchange);
  }

  standIn(upstream: Upstream): Balance | undefined {
    const of = upstream.fallback?.();
    if (of === undefined || of.disabled !== undefined) return undefined;
    const known = this.#standIns.get(upstream);
    if (known?.of === of) return this.#balanceOf(known.by);
    // Clients go on to see the service that they called; and one step is all that is taken.
    const { fallback: _further, ...rest } = of;
    const by: Upstream = { ...rest, service: serviceOf(of), prefix: upstream.prefix, standsIn: true };
    this.#standIns.set(upstream, { of, by });
    return this.#balanceOf(by);
  }

  /** Which service a call that began at this moment would be with: while this one is down, the one that stands in for it. */
  takerOf(upstream: Upstream): Upstream | undefined {
    const now = this.clock();
    if (this.#balanceOf(upstream).takes(now)) return upstream;
    return this.standIn(upstream)?.takes(now) === true ? upstream.fallback?.() : undefined;
  }

  wentElsewhere(upstream: Upstream): void {
    this.#options.onElsewhere?.(serviceOf(upstream));
  }

  /** Ways to all targets that there are. */
  get routes(): readonly Route[] {
    return this.#routes;
  }

  /**
   * Which services there are: their health is looked at as they say. What is known of other targets is forgotten, and no
   * connection to them is kept.
   */
  follow(upstreams: Iterable<Upstream>): void {
    this.#routes = [...upstreams].flatMap((upstream) => this.#balanceOf(upstream).routes);
    const states = new Set(this.#routes.map(({ state }) => state));
    for (const [key, state] of this.#states) if (!states.has(state)) this.#states.delete(key);
    const pools = new Set(this.#routes.map(({ pool }) => pool));
    for (const [key, pool] of this.#pools) {
      if (pools.has(pool)) continue;
      pool.retire();
      this.#pools.delete(key);
    }
    this.#checks.follow(this.#routes);
  }

  /** Cuts the calls that `judge` says no to; O(calls under way). */
  cutUnless(judge: (call: C) => boolean, outcome: "revoked" | "incomplete"): void {
    for (const exchange of this.#open.items()) if (!judge(exchange.call)) exchange.cut(outcome);
  }

  /** Ends the open WebSockets, and those that are still to open. */
  goAway(): void {
    this.isGoingAway = true;
    for (const exchange of this.#open.items()) exchange.goAway();
  }

  /** Breaks off what is still under way and closes every connection to the upstreams. */
  close(): void {
    clearInterval(this.#sweeper);
    this.#checks.close();
    this.cutUnless(() => false, "incomplete");
    // Those that are left have ended, and their compressed answers are still being read: they are recorded as they are.
    this.cutUnless(() => false, "incomplete");
    for (const pool of this.#pools.values()) pool.close();
    this.#pools.clear();
  }

  #sweep(): void {
    const now = this.clock();
    for (const exchange of this.#open.items()) exchange.checkTime(now);
    for (const pool of this.#pools.values()) pool.sweep(now);
    this.#checks.sweep(now);
  }

  /** What rests for one upstream must not keep another from being called. */
  #closeOneIdle(): boolean {
    for (const pool of this.#pools.values()) if (pool.closeOneIdle()) return true;
    return false;
  }

  #balanceOf(upstream: Upstream): Balance {
    const known = this.#balances.get(upstream);
    if (known !== undefined) return known;
    const routes = targetsOf(upstream).map(
      (target, index) =>
        new Route(
          upstream,
          target,
          index + 1,
          this.#poolOf(target.origin, upstream.connection),
          this.#stateOf(serviceOf(upstream), target.url),
        ),
    );
    const balance = new Balance(routes, upstream.fallback !== undefined);
    this.#balances.set(upstream, balance);
    return balance;
  }

  #poolOf(origin: string, facts: ConnectionFacts | undefined): ConnectionPool {
    const key = facts === undefined ? origin : `${origin} ${digestOf(facts)}`;
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      const { openFiles, lookup } = this.#options;
      pool = new ConnectionPool(origin, this.clock, {
        ...facts,
        ...(openFiles && { openFiles }),
        ...(lookup && { lookup }),
      });
      this.#pools.set(key, pool);
    }
    return pool;
  }

  #stateOf(service: string, url: string): TargetState {
    const key = `${service} ${url}`;
    let state = this.#states.get(key);
    if (state === undefined) {
      const { wallNow = Date.now, onTargetChange = () => undefined } = this.#options;
      state = new TargetState(service, url, wallNow, onTargetChange);
      this.#states.set(key, state);
    }
    return state;
  }
}

const targetsOf = ({ targets, origin, basePath }: Upstream): readonly UpstreamTarget[] =>
  targets ?? [{ url: origin + basePath, origin, basePath, weight: 1, isDrained: false }];

const serviceOf = ({ service, prefix }: Upstream): string => service ?? prefix.replace(/^\/api\//, "");

/** Keys are secret: they do not stand in the keys of a map for good. */
const digestOf = (facts: ConnectionFacts): string =>
  createHash("sha256").update(JSON.stringify(facts)).digest("base64url");
