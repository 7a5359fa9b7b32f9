import type { Call, Exchange, ExchangeOwner, TimedExchange, Upstream } from "./call.ts";
import { DenseList } from "./dense-list.ts";
import { Route } from "./route.ts";
import { SendQueues } from "./send-queues.ts";
import { ConnectionPool } from "./upstream/connection-pool.ts";
import type { ConnectorOptions } from "./upstream/connector.ts";
import { UpstreamExchange } from "./upstream-exchange.ts";

const SWEEP_MS = 100;

export interface ReverseProxyOptions extends Pick<ConnectorOptions, "openFiles" | "lookup"> {
  /** Monotonic, milliseconds. */
  readonly clock?: () => number;
}

/** Forwards calls to their upstreams and streams the answers back. */
export class ReverseProxy<C extends Call = Call> implements ExchangeOwner<C> {
  readonly clock: () => number;
  readonly sendQueues: SendQueues = new SendQueues();
  readonly #open = new DenseList<TimedExchange<C>>();
  readonly #pools = new Map<string, ConnectionPool>();
  readonly #routes = new WeakMap<Upstream, Route>();
  readonly #connections: ConnectorOptions;
  readonly #sweeper: NodeJS.Timeout;

  constructor({ clock = () => performance.now(), ...connections }: ReverseProxyOptions = {}) {
    this.clock = clock;
    this.#connections = connections;
    connections.openFiles?.onFull(() => this.#closeOneIdle());
    // One timer that looks at every open exchange, instead of timers that every request sets, moves and clears.
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  /** Calls under way. */
  get open(): number {
    return this.#open.size;
  }

  forward(call: C): Exchange {
    const exchange = new UpstreamExchange(call, this.#routeOf(call.upstream), this);
    this.#open.add(exchange);
    exchange.start();
    return exchange;
  }

  ended(exchange: TimedExchange<C>): void {
    this.#open.delete(exchange);
  }

  /** Cuts the calls that `judge` says no to; O(calls under way). */
  cutUnless(judge: (call: C) => boolean, outcome: "revoked" | "incomplete"): void {
    for (const exchange of this.#open.items()) if (!judge(exchange.call)) exchange.cut(outcome);
  }

  /** Breaks off what is still under way and closes every connection to the upstreams. */
  close(): void {
    clearInterval(this.#sweeper);
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
  }

  /** What rests for one upstream must not keep another from being called. */
  #closeOneIdle(): boolean {
    for (const pool of this.#pools.values()) if (pool.closeOneIdle()) return true;
    return false;
  }

  #routeOf(upstream: Upstream): Route {
    const known = this.#routes.get(upstream);
    if (known !== undefined) return known;
    let pool = this.#pools.get(upstream.origin);
    if (pool === undefined) {
      pool = new ConnectionPool(upstream.origin, this.clock, this.#connections);
      this.#pools.set(upstream.origin, pool);
    }
    const route = new Route(upstream, pool);
    this.#routes.set(upstream, route);
    return route;
  }
}
