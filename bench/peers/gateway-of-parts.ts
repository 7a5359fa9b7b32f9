/**
 * A gateway of the product's own parts that stores usage in the way asked for, which nothing in the product offers:
 * `node gateway-of-parts.ts <home> main|thread|off`. Prints its URL.
 */
import { Worker } from "node:worker_threads";
import {
  openHome,
  type Store,
  systemClock,
  type TrafficStore,
  type UsageEvent,
} from "../../packages/core/src/index.ts";
import { startGateway } from "../../packages/runtime/src/index.ts";

export type Recording = "main" | "thread" | "off";

const [home = "", recording = "main"] = process.argv.slice(2) as [string, Recording];

/** Stores each batch in a thread with a connection of its own. */
const inThread = (): ((events: readonly UsageEvent[]) => Promise<void>) => {
  const worker = new Worker(new URL("usage-thread.ts", import.meta.url), { workerData: home });
  let done: (() => void) | undefined;
  worker.on("message", () => done?.());
  return (events) =>
    new Promise((stored) => {
      done = stored;
      worker.postMessage(events);
    });
};

const recordUsage = (traffic: TrafficStore): TrafficStore["recordUsage"] => {
  if (recording === "off") return () => undefined;
  return recording === "thread" ? inThread() : (events) => traffic.recordUsage(events);
};

const { store, sealer } = await openHome({ home, clock: systemClock, busyTimeoutMs: 50 });
const record = recordUsage(store.traffic);
const traffic = new Proxy(store.traffic, {
  get: (target, name) => {
    if (name === "recordUsage") return record;
    const value: unknown = Reflect.get(target, name, target);
    return typeof value === "function" ? value.bind(target) : value;
  },
});
const gateway = await startGateway({
  store: { control: store.control, traffic } as Store,
  sealer,
  host: "127.0.0.1",
  port: 0,
  version: "bench",
  pid: process.pid,
  maxStaleMs: 60_000,
  drainMs: 1_000,
  log: () => undefined,
});
process.stdout.write(`${gateway.url}\n`);
