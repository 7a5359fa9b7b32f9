import { bucketOf, LATENCY_BUCKETS } from "./latency-buckets.ts";
import { HOUR_MS } from "./report-plan.ts";
import type { Outcome, UsageEvent } from "./usage-event.ts";

/** What is counted of an event. */
export type CountedEvent = Pick<
  UsageEvent,
  "at" | "client" | "service" | "status" | "outcome" | "latencyMs" | "bytesIn" | "bytesOut" | "count"
>;

/** Sums that come before the latency buckets in {@link UsageGroup.sums}: requests, bytes in, bytes out, latency. */
export const LEADING_SUMS = 4;

/** Events of one period (an hour or a day since the epoch, UTC) that have all in common that a report can tell apart. */
export interface UsageGroup {
  readonly key: readonly [period: number, client: string, service: string, status: number, outcome: Outcome];
  /** The latest event's time, milliseconds since the epoch. */
  lastAt: number;
  readonly sums: number[];
}

/** By hours, in the order of the events, until there are `mostGroups`. @returns also how many events were taken */
export const sumUp = (
  events: readonly CountedEvent[],
  mostGroups: number,
): { readonly hours: readonly UsageGroup[]; readonly taken: number } => {
  const groups = new Map<string, UsageGroup>();
  let taken = 0;
  for (const event of events) {
    if (groups.size >= mostGroups) break;
    taken += 1;
    const { at, client, service, status, outcome, latencyMs, count = 1 } = event;
    const group = groupAt(groups, [Math.floor(at / HOUR_MS), client, service, status, outcome]);
    group.lastAt = Math.max(group.lastAt, at);
    add(group.sums, [count, event.bytesIn, event.bytesOut, latencyMs * count]);
    const bucket = LEADING_SUMS + bucketOf(latencyMs);
    group.sums[bucket] = (group.sums[bucket] ?? 0) + count;
  }
  return { hours: [...groups.values()], taken };
};

/** The same sums under coarser keys, such as by day. */
export const regrouped = (
  groups: readonly UsageGroup[],
  keyOf: (key: UsageGroup["key"]) => UsageGroup["key"],
): Iterable<UsageGroup> => {
  const coarser = new Map<string, UsageGroup>();
  for (const { key, lastAt, sums } of groups) {
    const group = groupAt(coarser, keyOf(key));
    group.lastAt = Math.max(group.lastAt, lastAt);
    add(group.sums, sums);
  }
  return coarser.values();
};

export const byDay = ([hour, ...rest]: UsageGroup["key"]): UsageGroup["key"] => [Math.floor(hour / 24), ...rest];

/** Hours of all clients together. */
export const ofAllClients = ([hour, , ...rest]: UsageGroup["key"]): UsageGroup["key"] => [hour, "", ...rest];

const groupAt = (groups: Map<string, UsageGroup>, key: UsageGroup["key"]): UsageGroup => {
  const name = key.join(" ");
  const known = groups.get(name);
  if (known !== undefined) return known;
  const group = { key, lastAt: 0, sums: Array<number>(LEADING_SUMS + LATENCY_BUCKETS).fill(0) };
  groups.set(name, group);
  return group;
};

const add = (sums: number[], more: readonly number[]): void => {
  for (const [index, value] of more.entries()) sums[index] = (sums[index] ?? 0) + value;
};
