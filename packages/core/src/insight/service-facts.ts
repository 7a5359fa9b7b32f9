import type { Clock } from "../clock.ts";
import type { TrafficStore } from "../store/store.ts";
import { sumTallies } from "../usage/usage-report.ts";
import { RECENT_MS } from "./client-facts.ts";
import { callsSince, faultsOf } from "./recent-calls.ts";

/** How a service has fared in the last 15 minutes. */
export interface ServiceUse {
  /** Calls that were let through to it. */
  readonly calls: number;
  /** Those of them at which it failed. */
  readonly errors: number;
  /** By status, most often first. */
  readonly statuses: readonly { readonly status: number; readonly errors: number }[];
  /** Why, most often first. */
  readonly faults: readonly { readonly reason: string; readonly calls: number }[];
}

/** Everybody's calls of the last 15 minutes by service; one that was not called is left out. */
export const readServiceFacts = async (
  traffic: Pick<TrafficStore, "usageReport" | "usageBetween">,
  clock: Clock,
): Promise<ReadonlyMap<string, ServiceUse>> => {
  const filter = { since: clock.now() - RECENT_MS };
  const calls = await callsSince(traffic, filter);
  const faults = await faultsOf(traffic, calls, filter);
  const uses = new Map<string, ServiceUse>();
  for (const [service, rows] of Map.groupBy(calls, (row) => row.service)) {
    const { timed, errors } = sumTallies(rows.map(({ tally }) => tally));
    if (timed === 0) continue;
    uses.set(service, {
      calls: timed,
      errors,
      statuses: rows
        .filter(({ tally }) => tally.errors > 0)
        .map(({ status, tally }) => ({ status, errors: tally.errors }))
        .sort((one, other) => other.errors - one.errors),
      faults: faults.filter((fault) => fault.service === service),
    });
  }
  return uses;
};
