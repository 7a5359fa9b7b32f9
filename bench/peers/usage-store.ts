// A store with millions of events: filling it, and what gateways do with it meanwhile.
import { statSync } from "node:fs";
import { join } from "node:path";
import { initHome, openHome, systemClock, type TrafficStore } from "../../packages/core/src/index.ts";
import { answer } from "../support/peer.ts";
import { median } from "../support/statistics.ts";
import {
  DAYS,
  foldAll,
  recordAll,
  type Step,
  type Steps,
  summary,
  timed,
  usageEvent,
  usageEventOfYear,
} from "../support/usage.ts";

const withStore = async <T>(home: string, work: (traffic: TrafficStore) => Promise<T>): Promise<T> => {
  await initHome({ home, at: Date.now(), actor: "bench" });
  const { store } = await openHome({ home, clock: systemClock });
  try {
    return await work(store.traffic);
  } finally {
    await store.close();
  }
};

interface Filled {
  readonly recorded: Steps;
  readonly folded: Steps;
  /** Of the file. */
  readonly bytes: number;
}

const fill = ({ home, events }: { readonly home: string; readonly events: number }): Promise<Filled> =>
  withStore(home, async (traffic) => {
    const recorded = summary(await recordAll(traffic, events));
    const folded = summary(await foldAll(traffic));
    return { recorded, folded, bytes: statSync(join(home, "aigw.usage.db")).size };
  });

/** A year of calls; those before the last 90 days pruned. */
const fillYear = ({
  home,
  events,
}: {
  readonly home: string;
  readonly events: number;
}): Promise<Filled & { readonly input: string }> =>
  withStore(home, async (traffic) => {
    const end = Date.now();
    const recorded = summary(await recordAll(traffic, events, end, usageEventOfYear));
    const folded = summary(await foldAll(traffic));
    for (let more = true; more; ) ({ more } = await traffic.pruneUsage(end - 90 * DAY_MS, 10_000));
    let input = 0n;
    for (let index = 0; index < events; index += 1)
      input += BigInt(usageEventOfYear(index, events, end).units?.["input_tokens"] ?? 0);
    const { size } = statSync(join(home, "aigw.usage.db"));
    return { recorded, folded, bytes: size, input: String(input / 1_000_000n) };
  });

const medianOf = async (work: () => unknown): Promise<number> => {
  const times: number[] = [];
  for (let turn = 0; turn < 5; turn += 1) times.push((await timed(work)).ms);
  return median(times);
};

const PRUNE_SLICE = 100;
const DAY_MS = 86_400_000;

interface Upkeep {
  /** A gateway's batches: so many events each. */
  readonly recorded: readonly { readonly batch: number; readonly steps: Steps }[];
  /** Milliseconds, of the last day by client with the events of `recorded` not yet counted into the sums. */
  readonly backlogReport: number;
  readonly lastUsage: number;
  readonly usageOfRequest: number;
  readonly pruned: Steps;
}

/** What it costs to go on with such a store. */
const upkeep = ({ home, events }: { readonly home: string; readonly events: number }): Promise<Upkeep> =>
  withStore(home, async (traffic) => {
    const now = Date.now();
    const names = Array.from({ length: 100 }, (_, index) => `client-${index}`);
    const lastUsage = await medianOf(() => traffic.lastUsage(names));
    const usageOfRequest = await medianOf(() => traffic.usageOfRequest("none", now - DAY_MS));
    const recorded = [];
    let next = events * 2;
    for (const batch of [25, 500]) {
      const steps: Step[] = [];
      for (let turn = 0; turn < 200; turn += 1) {
        const more = Array.from({ length: batch }, (_, n) => ({ ...usageEvent(next + n, events, now), at: now }));
        next += batch;
        steps.push({ ...(await timed(() => traffic.recordUsage(more))), events: batch });
      }
      recorded.push({ batch, steps: summary(steps) });
    }
    const query = { by: ["client"], filter: { since: now - DAY_MS } } as const;
    const backlogReport = await medianOf(() => traffic.usageReport(query));
    await foldAll(traffic);
    const slices: Step[] = [];
    for (let more = true; more && slices.length < 200; ) {
      const { ms, result } = await timed(() => traffic.pruneUsage(now - (DAYS / 2) * DAY_MS, PRUNE_SLICE));
      slices.push({ ms, events: result.events });
      more = result.more;
    }
    return { recorded, backlogReport, lastUsage, usageOfRequest, pruned: summary(slices) };
  });

const acts = { fill, fillYear, upkeep };
export type UsageStoreActs = typeof acts;
answer(acts);
