import type { Upstream } from "./call.ts";
import { ServiceFields } from "./request-fields.ts";
import { ServiceAddress } from "./service-address.ts";
import type { ConnectionPool } from "./upstream/connection-pool.ts";

/** What is derived from an upstream once, and not per request. */
export class Route {
  readonly pool: ConnectionPool;
  readonly service: ServiceFields;
  readonly address: ServiceAddress;
  readonly #basePath: string;

  constructor(upstream: Upstream, pool: ConnectionPool) {
    this.pool = pool;
    this.service = new ServiceFields(upstream.headers);
    this.address = new ServiceAddress(upstream);
    this.#basePath = upstream.basePath;
  }

  /** The request target: base path and rest, byte for byte. */
  target(rest: string): string {
    const target = this.#basePath + rest;
    return target.startsWith("/") ? target : `/${target}`;
  }
}
