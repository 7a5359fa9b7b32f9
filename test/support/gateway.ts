import { join } from "node:path";
import type { TestContext } from "node:test";
import {
  type ActDeps,
  addService,
  type Clock,
  initHome,
  openHome,
  type Sealer,
  type Store,
  systemClock,
} from "@aigw/core";
import { type Gateway, startGateway } from "@aigw/runtime";
import { temporaryHome } from "./aigw.ts";
import { storeUrlOf } from "./engine.ts";
import { tokenFor } from "./http.ts";
import { addKnownClient } from "./known-client.ts";
import { until } from "./until.ts";

type Owner = Pick<TestContext, "after">;

/** A clock that runs with the real one until it is told to jump. */
export class JumpingClock implements Clock {
  #wall = 0;
  #monotonic = 0;

  now(): number {
    return systemClock.now() + this.#wall;
  }

  monotonic(): number {
    return systemClock.monotonic() + this.#monotonic;
  }

  /** Time passes. */
  advance(ms: number): void {
    this.#wall += ms;
    this.#monotonic += ms;
  }

  /** Somebody sets the clock; no time passes. */
  setBy(ms: number): void {
    this.#wall += ms;
  }
}

export interface TestGateway {
  readonly gateway: Gateway;
  readonly url: string;
  readonly home: string;
  readonly store: Store;
  readonly sealer: Sealer;
  readonly deps: ActDeps;
  readonly log: string[];
  /** Adds a client. @returns its credentials */
  add(
    name: string,
    facts?: { limit?: number; services?: string[]; expiresAt?: number },
  ): Promise<{ name: string; password: string }>;
  /** Waits until it has applied this revision. */
  applied(rev: number): Promise<void>;
  /** Adds a client and fetches its first token, which the gateway accepts when this returns. */
  tokenFor(name: string, facts?: { limit?: number; services?: string[]; expiresAt?: number }): Promise<string>;
}

/** The runtime in this process, over a real store in a temporary home, for tests that hand in a clock. */
export const startTestGateway = async (
  t: Owner,
  options: {
    home?: string;
    clock?: Clock;
    maxStaleMs?: number;
    drainMs?: number;
    services?: Record<string, string>;
    admin?: boolean;
    env?: Record<string, string>;
    trustProxy?: string;
    /** What the gateway gets for the store. */
    through?: (store: Store) => Store;
  } = {},
): Promise<TestGateway> => {
  let end: (() => Promise<void>) | undefined;
  // Before the home goes: what it still has to store would be tried for 5 s.
  t.after(() => end?.());
  const home = options.home ?? temporaryHome(t);
  const clock = options.clock ?? systemClock;
  const storeUrl = storeUrlOf(home);
  await initHome({ home, storeUrl, at: clock.now(), actor: "test" });
  const { store, sealer } = await openHome({ home, storeUrl, clock, busyTimeoutMs: 50 });
  const deps: ActDeps = { store, sealer, clock, actor: "test" };
  for (const [name, url] of Object.entries(options.services ?? {})) await addService(deps, { name, url });
  const log: string[] = [];
  const gateway = await startGateway({
    store: options.through?.(store) ?? store,
    sealer,
    clock,
    host: "127.0.0.1",
    port: 0,
    ...(options.admin && { admin: { host: "127.0.0.1", port: 0 } }),
    ...(options.env && { env: options.env }),
    ...(options.trustProxy && { trustProxy: options.trustProxy }),
    version: "0.0.0-test",
    pid: process.pid,
    maxStaleMs: options.maxStaleMs ?? 60_000,
    drainMs: options.drainMs ?? 1_000,
    jobsFolder: join(home, "jobs"),
    log: (line) => log.push(line),
  });
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= gateway.close());
  end = async () => {
    await close();
    await store.close();
  };
  const add: TestGateway["add"] = (name, facts) => addKnownClient(deps, { name, ...facts });
  return {
    gateway: { ...gateway, close },
    url: gateway.url,
    home,
    store,
    sealer,
    deps,
    log,
    add,
    applied: async (rev) => {
      await until("the change to be applied", async () => {
        const [seen] = await store.traffic.instances(60_000);
        return (seen?.appliedRev ?? 0) >= rev;
      });
    },
    tokenFor: async (name, facts) => {
      const { password } = await add(name, facts);
      return tokenFor(gateway.url, name, password);
    },
  };
};
