import { bucketOf, LATENCY_BUCKETS } from "./latency-buckets.ts";
import { HOUR_MS } from "./report-plan.ts";
import type { Outcome, UsageEvent } from "./usage-event.ts";
import { addWorth, WORTH_COUNTS, type Worth, worthCountsOf, worthOf } from "./worth.ts";

/** What is counted of an event. */
export type CountedEvent = Pick<
  UsageEvent,
  | "at"
  | "client"
  | "service"
  | "status"
  | "outcome"
  | "latencyMs"
  | "bytesIn"
  | "bytesOut"
  | "count"
  | "units"
  | "metered"
  | "model"
  | "cost"
  | "plan"
>;

/** The first of {@link UsageGroup.sums}: requests, bytes in, bytes out, latency. */
const CALL_SUMS = 4;

/** Those before the latency buckets: then come WORTH_COUNTS. */
export const LEADING_SUMS: number = CALL_SUMS + WORTH_COUNTS.length;

/**
 * Events of one period (an hour, a day or a month, UTC) that have all in common that a report can tell apart.
 * Model and plan are empty without one.
 */
export interface UsageGroup {
  readonly key: readonly [
    period: number,
    client: string,
    service: string,
    status: number,
    outcome: Outcome,
    model: string,
    plan: string,
  ];
  /** The latest event's time, milliseconds since the epoch. */
  lastAt: number;
  readonly sums: number[];
  readonly worth: Worth;
}

/**
 * By hours, in the order of the events, until there are `mostGroups`, or as many sums of units in them.
 * @returns also how many events were taken
 */
export const sumUp = (
  events: Iterable<CountedEvent>,
  mostGroups: number,
  mostUnits: number = Number.POSITIVE_INFINITY,
): { readonly hours: readonly UsageGroup[]; readonly taken: number } => {
  const groups = new Map<string, UsageGroup>();
  let taken = 0;
  let units = 0;
  for (const event of events) {
    if (groups.size >= mostGroups || units >= mostUnits) break;
    taken += 1;
    const { at, client, service, status, outcome, latencyMs, count = 1, model = "", plan = "" } = event;
    const group = groupAt(groups, [Math.floor(at / HOUR_MS), client, service, status, outcome, model, plan]);
    group.lastAt = Math.max(group.lastAt, at);
    add(group.sums, 0, [count, event.bytesIn, event.bytesOut, latencyMs * count]);
    add(group.sums, LEADING_SUMS + bucketOf(latencyMs), [count]);
    if (event.metered === undefined && event.cost === undefined && event.units === undefined) continue;
    add(group.sums, CALL_SUMS, worthCountsOf(event));
    units -= group.worth.size;
    for (const [name, value] of worthOf(event)) addWorth(group.worth, name, BigInt(value));
    units += group.worth.size;
  }
  return { hours: [...groups.values()], taken };
};

type KeyOf = (key: UsageGroup["key"]) => UsageGroup["key"];

/** The same sums under coarser keys, such as by day. */
export const regrouped = (groups: readonly UsageGroup[], keyOf: KeyOf): Iterable<UsageGroup> => {
  const coarser = new Map<string, UsageGroup>();
  for (const group of groups) addTo(coarser, keyOf, group);
  return coarser.values();
};

/** Adds a group to the one that has its coarser key. */
export const addTo = (
  coarser: Map<string, UsageGroup>,
  keyOf: KeyOf,
  { key, lastAt, sums, worth }: Readonly<UsageGroup>,
): void => {
  const group = groupAt(coarser, keyOf(key));
  group.lastAt = Math.max(group.lastAt, lastAt);
  add(group.sums, 0, sums);
  for (const [name, sum] of worth) addWorth(group.worth, name, sum);
};

export const byDay = ([hour, ...rest]: UsageGroup["key"]): UsageGroup["key"] => [Math.floor(hour / 24), ...rest];

/** Months since the year 0. */
export const byMonth = ([hour, ...rest]: UsageGroup["key"]): UsageGroup["key"] => [monthOf(hour * HOUR_MS), ...rest];

export const monthOf = (at: number): number => {
  const date = new Date(at);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
};

/** Hours of all clients together. */
export const ofAllClients = ([hour, , ...rest]: UsageGroup["key"]): UsageGroup["key"] => [hour, "", ...rest];

/** Days of all clients together, from hours. */
export const byDayOfAll = (key: UsageGroup["key"]): UsageGroup["key"] => ofAllClients(byDay(key));

const groupAt = (groups: Map<string, UsageGroup>, key: UsageGroup["key"]): UsageGroup => {
  // A model's name may have blanks, but nothing else here has.
  const name = key.join(" ");
  const known = groups.get(name);
  if (known !== undefined) return known;
  const group: UsageGroup = {
    key,
    lastAt: 0,
    sums: Array<number>(LEADING_SUMS + LATENCY_BUCKETS).fill(0),
    worth: new Map(),
  };
  groups.set(name, group);
  return group;
};

const add = (sums: number[], from: number, more: readonly number[]): void => {
  for (const [index, value] of more.entries()) sums[from + index] = (sums[from + index] ?? 0) + value;
};
