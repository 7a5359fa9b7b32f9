import type { Upstream, UpstreamTarget } from "./call.ts";
import { ServiceFields } from "./request-fields.ts";
import { ServiceAddress } from "./service-address.ts";
import type { TargetState } from "./target-state.ts";
import type { ConnectionPool } from "./upstream/connection-pool.ts";

/** The way to one target of an upstream: what is derived from both once, and not per request. */
export class Route {
  readonly upstream: Upstream;
  readonly pool: ConnectionPool;
  readonly state: TargetState;
  readonly service: ServiceFields;
  readonly address: ServiceAddress;
  /** Its target's place among the upstream's, from 1. */
  readonly number: number;
  readonly weight: number;
  /** It takes no new calls. */
  readonly isDrained: boolean;
  /** Of those that are equally free, whoever has the highest is next; see balance.ts. */
  turn = 0;
  readonly #basePath: string;

  constructor(upstream: Upstream, target: UpstreamTarget, number: number, pool: ConnectionPool, state: TargetState) {
    const { origin, basePath, weight, isDrained } = target;
    const { prefix, connection } = upstream;
    this.upstream = upstream;
    this.pool = pool;
    this.state = state;
    this.service = new ServiceFields(upstream.headers, upstream.noVia === true);
    this.address = new ServiceAddress({ origin, basePath, prefix, authority: connection?.authority });
    this.number = number;
    this.weight = weight;
    this.isDrained = isDrained;
    this.#basePath = basePath;
  }

  /** The request target: base path and rest, byte for byte. */
  target(rest: string): string {
    const target = this.#basePath + rest;
    return target.startsWith("/") ? target : `/${target}`;
  }
}
