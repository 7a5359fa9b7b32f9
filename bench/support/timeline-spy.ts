// Loaded into a gateway by `--import`: what keeps its event loop busy, on the machine's monotonic clock. Written to
// AIGW_TIMELINE.<thread> when the process ends.
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { constants, PerformanceObserver } from "node:perf_hooks";
import { DatabaseSync, StatementSync } from "node:sqlite";
import { isMainThread, threadId } from "node:worker_threads";

/** From, until: milliseconds as `now()` of `clock.ts` tells them. */
export type Span = readonly [what: string, from: number, until: number];

const now = (): number => Number(process.hrtime.bigint()) / 1e6;
const spans: Span[] = [];

const GC: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: "gc young",
  [constants.NODE_PERFORMANCE_GC_MAJOR]: "gc old",
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: "gc old, a step",
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: "gc weak callbacks",
};
const origin = now() - performance.now();
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const { startTime, duration } = entry;
    const { kind = 0 } = ((entry as { detail?: unknown }).detail ?? {}) as { kind?: number };
    spans.push([GC[kind] ?? "gc", origin + startTime, origin + startTime + duration]);
  }
}).observe({ entryTypes: ["gc"] });

/** Shorter ones are counted into the turn they are in. */
const SHORT_MS = 0.1;

/** A commit in which the main file was written is one with a checkpoint. */
const written = new Map<string, number>();
const isCheckpoint = (database: DatabaseSync | undefined): boolean => {
  const path = database?.location();
  if (path == null) return false;
  const { mtimeMs } = statSync(path);
  const before = written.get(path);
  written.set(path, mtimeMs);
  return before !== undefined && before !== mtimeMs;
};

const nameOf = (sql: string, database: DatabaseSync | undefined): string => {
  const checkpoint = isCheckpoint(database) ? ", with checkpoint" : "";
  return `sql ${sql.replace(/\s+/g, " ").trim().slice(0, 40)}${checkpoint}`;
};

const timed = <R>(work: () => R, sql: string, database: DatabaseSync | undefined): R => {
  const from = now();
  try {
    return work();
  } finally {
    const until = now();
    if (until - from >= SHORT_MS) spans.push([nameOf(sql, database), from, until]);
  }
};

const databaseOf = new WeakMap<StatementSync, DatabaseSync>();
const { exec, prepare } = DatabaseSync.prototype;
DatabaseSync.prototype.exec = function (sql): void {
  timed(() => exec.call(this, sql), sql, this);
};
DatabaseSync.prototype.prepare = function (sql, ...more): StatementSync {
  const statement = prepare.call(this, sql, ...more);
  databaseOf.set(statement, this);
  return statement;
};
for (const name of ["run", "get", "all"] as const) {
  const method = StatementSync.prototype[name] as (...args: unknown[]) => unknown;
  const patched = function (this: StatementSync, ...args: unknown[]): unknown {
    return timed(() => method.apply(this, args), this.sourceSQL, databaseOf.get(this));
  };
  Object.assign(StatementSync.prototype, { [name]: patched });
}

if (isMainThread) {
  /** Nanoseconds for which this thread was ready and had no processor. */
  const waited = (): number => {
    try {
      return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, "utf8").split(" ")[1]) / 1e6;
    } catch {
      return 0;
    }
  };
  const BEAT_MS = 1;
  let due = now() + BEAT_MS;
  let waitedBefore = waited();
  setInterval(() => {
    const at = now();
    if (at - due > BEAT_MS) {
      spans.push(["loop late", due, at]);
      const all = waited();
      // Where in it, nobody says.
      if (all - waitedBefore > SHORT_MS) spans.push(["no processor", at - Math.min(all - waitedBefore, at - due), at]);
      waitedBefore = all;
    }
    due = at + BEAT_MS;
  }, BEAT_MS).unref();
}

process.on("exit", () => {
  const file = process.env["AIGW_TIMELINE"];
  if (file !== undefined) writeFileSync(`${file}.${threadId}`, JSON.stringify(spans));
});
