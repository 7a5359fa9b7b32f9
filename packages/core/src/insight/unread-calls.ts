import type { MeterProblem } from "../meters/meter-problem.ts";
import type { TrafficStore } from "../store/store.ts";
import { callsSince, eventsOf, type ServiceStatus } from "./recent-calls.ts";

/** What a service's meter made of calls that it answered without an error. */
export interface MeteredCalls {
  readonly service: string;
  /** Those that the meter looked at. */
  readonly calls: number;
  /** Of those, from which it read nothing, and those that it estimated. */
  readonly unread: number;
  readonly estimated: number;
  /** Why it read nothing, most often first; known when most stayed unread. */
  readonly reasons: readonly { readonly reason: MeterProblem; readonly calls: number }[];
}

type Reads = Pick<TrafficStore, "usageReport" | "usageBetween">;

/** By service, in no order; those without a meter, and those that were not called, are left out. */
export const readMeteredCalls = async (traffic: Reads, since: number): Promise<readonly MeteredCalls[]> => {
  const rows = await callsSince(traffic, { since });
  // An error is no answer that a meter could read.
  const answered = rows.filter(({ status, tally }) => status >= 200 && status < 400 && tally.metered > 0);
  const services = Map.groupBy(answered, ({ service }) => service);
  return Promise.all([...services].map(([service, of]) => meteredCalls(traffic, service, of, since)));
};

const meteredCalls = async (
  traffic: Reads,
  service: string,
  rows: readonly ServiceStatus[],
  since: number,
): Promise<MeteredCalls> => {
  const sum = (field: "metered" | "unread" | "estimated"): number =>
    rows.reduce((all, { tally }) => all + tally[field], 0);
  const [calls, unread, estimated] = [sum("metered"), sum("unread"), sum("estimated")];
  const reasons = isMostOf(unread, calls) ? await reasonsOf(traffic, rows, since) : [];
  return { service, calls, unread, estimated, reasons };
};

/** More than half, and more than one: an answer without totals happens. */
export const isMostOf = (some: number, calls: number): boolean => some > 1 && some * 2 > calls;

/** The sums do not know: the calls themselves are asked. */
const reasonsOf = async (
  traffic: Reads,
  rows: readonly ServiceStatus[],
  since: number,
): Promise<MeteredCalls["reasons"]> => {
  const counts = new Map<MeterProblem, number>();
  for (const row of rows) {
    if (row.tally.unread === 0) continue;
    for await (const { unread } of eventsOf(traffic, row, { since })) {
      if (unread !== undefined) counts.set(unread, (counts.get(unread) ?? 0) + 1);
    }
  }
  return [...counts].map(([reason, calls]) => ({ reason, calls })).sort((one, other) => other.calls - one.calls);
};
