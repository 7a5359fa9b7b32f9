import { setTimeout as delay } from "node:timers/promises";
import { LIMIT, type OnASet, pressUnseen, startOnASet } from "../../support/gateways-on-a-set.ts";
import { MONGOD } from "../../support/mongodb.ts";
import { actsOn, longestGap, promisesKept } from "../load/set-under-fault.ts";
import { atMost, quantile, type Row, type Run, type Seen } from "../row.ts";

const MAX_STALE_MS = 60_000;
/** Between two faults: the set has caught up, and what the last one left behind would show. */
const PAUSE_MS = 6_000;

interface Fault {
  /** Returns when the set has a primary again. */
  happen(onASet: OnASet): Promise<void>;
  /** How long it may take until somebody can log in again. */
  readonly backWithinMs: number;
}

const underFault = async (run: Run, times: number, { happen, backWithinMs }: Fault): Promise<readonly Seen[]> => {
  const onASet = await startOnASet(run, { mongod: MONGOD, maxStaleMs: MAX_STALE_MS, unseen: times });
  const acts = actsOn(onASet);
  const gaps: number[] = [];
  await delay(PAUSE_MS);
  for (let turn = 0; turn < times; turn += 1) {
    const stop = await pressUnseen(onASet, onASet.unseen.get(`unseen-${turn}`) ?? "", LIMIT / 2);
    const startedAt = performance.now();
    await happen(onASet);
    const back = performance.now();
    gaps.push(back - startedAt);
    await delay(PAUSE_MS);
    await stop();
  }
  const kept = await promisesKept(run, onASet, acts);
  run.say(
    `${times} faults; a primary again after ${Math.round(quantile(gaps, 0.5))} ms (median), ${Math.round(Math.max(...gaps))} ms (the longest)`,
  );
  return [
    ...kept,
    atMost("longest time without a served call of a known client", longestGap(onASet.load.calls, "jane"), 1_000, "ms"),
    atMost("a primary again, the longest", Math.max(...gaps), backWithinMs, "ms"),
  ];
};

export const stepDowns: Row = {
  name: "primary-steps-down",
  promise:
    "The primary of a set of three steps down, 10 times, under three gateways with load and commands: nothing acknowledged is lost, no limit passed, no known client refused",
  minutes: 8,
  engine: "mongodb",
  run: (run) =>
    underFault(run, run.size(10, 2), {
      happen: async ({ set }) => set.stepDown(),
      backWithinMs: 15_000,
    }),
};

export const primaryKills: Row = {
  name: "primary-killed",
  promise:
    "The primary is killed (-9) and comes back, 6 times, under three gateways with load and commands: nothing acknowledged is lost, no limit passed, no known client refused",
  minutes: 8,
  engine: "mongodb",
  run: (run) =>
    underFault(run, run.size(6, 1), {
      happen: async ({ set }) => {
        const primary = await set.primary();
        await primary.kill();
        await set.primary();
        await delay(3_000);
        await primary.restart();
      },
      backWithinMs: 30_000,
    }),
};

/** Longer than the set waits for a primary that does not answer. */
const FROZEN_MS = 8_000;

export const primaryFreezes: Row = {
  name: "primary-frozen",
  promise:
    "The primary is frozen (SIGSTOP) for 8 s and goes on, 6 times, believing that it is one still: nothing acknowledged is lost, no limit passed, no known client refused",
  minutes: 8,
  engine: "mongodb",
  run: (run) =>
    underFault(run, run.size(6, 1), {
      happen: async ({ set }) => {
        const { process } = await set.primary();
        process.kill("SIGSTOP");
        run.after(() => process.kill("SIGCONT"));
        await delay(FROZEN_MS);
        process.kill("SIGCONT");
        await set.primary();
      },
      backWithinMs: 30_000,
    }),
};
