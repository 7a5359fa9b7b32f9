/**
 * How long reports take over many events, and what keeping the sums costs: `node bench/usage-report.ts [events] [folder]`.
 * 10 million events unless given, of 100 clients and 5 services over 30 days. The store is left in the folder, and used
 * again when it is there.
 */
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { argv, stdout } from "node:process";
import {
  initHome,
  openHome,
  type Store,
  systemClock,
  type UsageEvent,
  type UsageReportQuery,
} from "../packages/core/src/index.ts";

const COUNT = Number(argv[2] ?? 10_000_000);
const GIVEN = argv[3];
const BATCH = 10_000;
const DAYS = 30;
const DAY_MS = 86_400_000;
const START = Math.floor(Date.now() / DAY_MS) * DAY_MS - DAYS * DAY_MS;

const say = (what: string, figure: string): void => {
  stdout.write(`${what.padEnd(58)} ${figure}\n`);
};

/** Scatters, so that clients, services and outcomes go with each other in every way. */
const scattered = (index: number, salt: number): number => Math.imul(index + salt, 0x9e3779b1) >>> 8;

const event = (index: number): UsageEvent => {
  const kind = scattered(index, 77) % 50;
  const status = kind === 0 ? 429 : kind === 1 ? 502 : kind === 2 ? 404 : 200;
  return {
    id: `gw-bench.${index.toString(36)}`,
    at: START + Math.floor((index / COUNT) * DAYS * DAY_MS),
    client: `client-${scattered(index, 0) % 100}`,
    service: `service-${scattered(index, 1_000_003) % 5}`,
    method: "POST",
    path: "/api/service/v1/read",
    status,
    latencyMs: 5 + ((index * 7919) % 3_000) / 7,
    bytesIn: 1_024,
    bytesOut: 2_048,
    requestId: `r-${index.toString(36)}`,
    outcome: kind === 0 ? "limited" : kind === 1 ? "upstream_error" : "ok",
  };
};

const record = (store: Store, from: number, to: number, batch: number): void => {
  for (let index = from; index < to; index += batch) {
    void store.traffic.recordUsage(Array.from({ length: Math.min(batch, to - index) }, (_, n) => event(index + n)));
  }
};

const timed = async <T>(work: () => T | Promise<T>): Promise<{ ms: number; result: T }> => {
  const started = performance.now();
  const result = await work();
  return { ms: performance.now() - started, result };
};

const median = async (work: () => unknown): Promise<number> => {
  const times: number[] = [];
  for (let turn = 0; turn < 5; turn += 1) times.push((await timed(work)).ms);
  return times.toSorted((a, b) => a - b)[2] ?? 0;
};

/** Calls until `work` says that it is done. @returns milliseconds each call took, ascending */
const slices = async (work: () => Promise<boolean>): Promise<readonly number[]> => {
  const times: number[] = [];
  for (let done = false; !done; ) {
    const { ms, result } = await timed(work);
    times.push(ms);
    done = result;
  }
  return times.toSorted((a, b) => a - b);
};

const spread = (times: readonly number[]): string => {
  const at = (q: number): string => (times[Math.floor(q * (times.length - 1))] ?? 0).toFixed(1);
  const total = times.reduce((sum, ms) => sum + ms, 0);
  return `${times.length} slices, ${(total / 1000).toFixed(1)} s; p50 ${at(0.5)}, p99 ${at(0.99)}, max ${at(1)} ms`;
};

const folder = GIVEN === undefined ? mkdtempSync(join(tmpdir(), "aigw-bench-")) : resolve(GIVEN);
const fresh = !existsSync(join(folder, "aigw.db"));
await initHome({ home: folder, at: Date.now(), actor: "bench" });
const { store } = await openHome({ home: folder, clock: systemClock });
try {
  if (fresh) {
    const { ms } = await timed(() => record(store, 0, COUNT, BATCH));
    say(`${COUNT} events recorded, ${BATCH} a batch`, `${Math.round((COUNT / ms) * 1000)} events/s`);
  }
  const folds = await slices(async () => !(await store.traffic.foldUsage(1_000)).more);
  say("folded, up to 1,000 events a slice", spread(folds));
  say("size of aigw.usage.db", `${Math.round(statSync(join(folder, "aigw.usage.db")).size / 2 ** 20)} MiB`);

  const end = START + DAYS * DAY_MS;
  const reports: readonly (readonly [string, UsageReportQuery])[] = [
    [
      "report, last 24 h by client (since is not a whole hour)",
      { by: ["client"], filter: { since: end - DAY_MS - 1_234_567 } },
    ],
    ["report, last 24 h by hour", { by: ["hour"], filter: { since: end - DAY_MS } }],
    [
      "report, 29.5 days by client, ragged at both ends",
      { by: ["client"], filter: { since: START + 999_999 }, until: end - DAY_MS / 3.3 },
    ],
    ["report, everything by client", { by: ["client"], filter: {} }],
    ["report, everything by service", { by: ["service"], filter: {} }],
    ["report, everything by status", { by: ["status"], filter: {} }],
    ["report, everything by day", { by: ["day"], filter: {} }],
    ["report, everything by hour (720 rows)", { by: ["hour"], filter: {} }],
    ["report, everything by day of one client", { by: ["day"], filter: { client: "client-7" } }],
  ];
  for (const [what, query] of reports)
    say(what, `${(await median(() => store.traffic.usageReport(query))).toFixed(0)} ms`);
  const names = Array.from({ length: 100 }, (_, index) => `client-${index}`);
  say("last use of 100 clients", `${(await median(() => store.traffic.lastUsage(names))).toFixed(1)} ms`);
  const since = end - DAY_MS;
  say(
    "one request by its id, looking back 24 h",
    `${(await median(() => store.traffic.usageOfRequest("none", since))).toFixed(0)} ms`,
  );

  for (const batch of [25, 500]) {
    const times: number[] = [];
    for (let index = 0; index < 200; index += 1) {
      const from = COUNT * 2 + batch * 1_000_000 + index * batch;
      times.push((await timed(() => record(store, from, from + batch, batch))).ms);
    }
    const total = times.reduce((sum, ms) => sum + ms, 0);
    say(`${200 * batch} more recorded, ${batch} a batch`, `${Math.round((200 * batch * 1000) / total)} events/s`);
  }
  const backlog = await median(() => store.traffic.usageReport({ by: ["client"], filter: { since: end - DAY_MS } }));
  say("report, last 24 h, 105,000 events not folded yet", `${backlog.toFixed(0)} ms`);
  await slices(async () => !(await store.traffic.foldUsage(1_000)).more);
  for (const limit of [100, 250, 1_000]) {
    let left = 200;
    const prunes = await slices(async () => {
      left -= 1;
      return !(await store.traffic.pruneUsage(START + 15 * DAY_MS, limit)).more || left === 0;
    });
    say(`pruned, ${limit} events a slice`, spread(prunes));
  }
} finally {
  await store.close();
  if (GIVEN === undefined) rmSync(folder, { recursive: true, force: true });
}
