import { bucketOf, LATENCY_BUCKETS } from "./latency-buckets.ts";
import { HOUR_MS } from "./report-plan.ts";
import type { Outcome, UsageEvent } from "./usage-event.ts";
import { addWorth, COST, WORTH_COUNTS, type Worth, worthCountsOf } from "./worth.ts";

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

/** Sums of events by hour. What calls alike add comes to no allocation: a gateway sums up thousands of them a second. */
export class HourSums {
  readonly #groups = new Map<string, UsageGroup>();
  /** Neighbours are often of one group. */
  #last: UsageGroup | undefined;
  #units = 0;

  get size(): number {
    return this.#groups.size;
  }

  /** How many sums of units are in the groups. */
  get units(): number {
    return this.#units;
  }

  groups(): UsageGroup[] {
    return [...this.#groups.values()];
  }

  add(event: CountedEvent): void {
    const { at, client, service, status, outcome, count = 1, model = "", plan = "" } = event;
    const group = this.groupOf(Math.floor(at / HOUR_MS), client, service, status, outcome, model, plan);
    addCalls(group, at, event.latencyMs, event.bytesIn, event.bytesOut, count);
    if (event.metered === undefined && event.cost === undefined && event.units === undefined) return;
    this.addWorth(group, event.units, event.cost, event.metered, count);
  }

  groupOf(
    hour: number,
    client: string,
    service: string,
    status: number,
    outcome: Outcome,
    model: string,
    plan: string,
  ): UsageGroup {
    const last = this.#last;
    if (last !== undefined) {
      const { key } = last;
      const isSame =
        key[0] === hour &&
        key[1] === client &&
        key[2] === service &&
        key[3] === status &&
        key[4] === outcome &&
        key[5] === model &&
        key[6] === plan;
      if (isSame) return last;
    }
    this.#last = groupAt(this.#groups, [hour, client, service, status, outcome, model, plan]);
    return this.#last;
  }

  /** What an event of the group was worth. */
  addWorth(
    { sums, worth }: UsageGroup,
    units: CountedEvent["units"],
    cost: CountedEvent["cost"],
    metered: CountedEvent["metered"],
    count: number,
  ): void {
    add(sums, CALL_SUMS, worthCountsOf({ cost, metered, count }));
    this.#units -= worth.size;
    if (units !== undefined) for (const name of Object.keys(units)) addWorth(worth, name, BigInt(units[name] ?? 0));
    if (typeof cost === "number") addWorth(worth, COST, BigInt(cost));
    this.#units += worth.size;
  }
}

/** An event that stands for `count` calls of the group, but for what they were worth. */
export const addCalls = (
  group: UsageGroup,
  at: number,
  latencyMs: number,
  bytesIn: number,
  bytesOut: number,
  count: number,
): void => {
  const { sums } = group;
  if (at > group.lastAt) group.lastAt = at;
  addAt(sums, 0, count);
  addAt(sums, 1, bytesIn);
  addAt(sums, 2, bytesOut);
  addAt(sums, 3, latencyMs * count);
  addAt(sums, LEADING_SUMS + bucketOf(latencyMs), count);
};

/**
 * By hours, in the order of the events, until there are `mostGroups`, or as many sums of units in them.
 * @returns also how many events were taken
 */
export const sumUp = (
  events: Iterable<CountedEvent>,
  mostGroups: number,
  mostUnits: number = Number.POSITIVE_INFINITY,
): { readonly hours: readonly UsageGroup[]; readonly taken: number } => {
  const sums = new HourSums();
  let taken = 0;
  for (const event of events) {
    if (sums.size >= mostGroups || sums.units >= mostUnits) break;
    taken += 1;
    sums.add(event);
  }
  return { hours: sums.groups(), taken };
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
  const name = `${key[0]} ${key[1]} ${key[2]} ${key[3]} ${key[4]} ${key[5]} ${key[6]}`;
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
  for (let index = 0; index < more.length; index += 1) addAt(sums, from + index, more[index] ?? 0);
};

const addAt = (sums: number[], index: number, value: number): void => {
  sums[index] = (sums[index] ?? 0) + value;
};
