import { setImmediate as turn } from "node:timers/promises";
import type { TrafficStore } from "../store/store.ts";
import { ReportRows, startOf } from "./report-keys.ts";
import { DAY_MS, HOUR_MS } from "./report-plan.ts";
import { SealCheck, type UsageProblem } from "./seal-check.ts";
import type { UsageEvent } from "./usage-event.ts";
import { addEvent, emptyTally, sumTallies, type UsageKey, type UsageRow, type UsageTally } from "./usage-report.ts";
import type { UsageMac } from "./usage-seal.ts";

export type { SumsTable, UsageProblem } from "./seal-check.ts";

export interface VerifyUsageOptions {
  readonly traffic: Pick<TrafficStore, "latestUsage" | "usageAfter" | "usageBetween" | "usageReport">;
  readonly mac: UsageMac;
  /** Events before it are not looked at, milliseconds since the epoch; the day (UTC) that it is in is looked at whole. */
  readonly since: number;
  readonly until: number;
  readonly signal?: AbortSignal | undefined;
  /** How many events were read so far. */
  readonly onEvents?: (events: number) => void;
}

/** What was compared, and what is wrong. */
export interface UsageProof {
  /** What was looked at: whole days from then on, milliseconds since the epoch. */
  readonly since: number;
  readonly until: number;
  readonly events: number;
  readonly batches: number;
  /** Records of sums: those of hours, of days, of both of all clients together, and of months. */
  readonly sums: number;
  /** Events that their gateways say were dropped, because the store could not take them. */
  readonly dropped: number;
  /** Events of gateways of a version that seals nothing: nothing proves them. */
  readonly unproven: number;
  readonly problems: readonly UsageProblem[];
}

const PAGE = 1_000;

/**
 * Compares every event with the seal that its gateway gave it, and every sum with the events that it is of, day by day.
 * Reads each event once, in memory that grows with the batches, not with the events.
 * @throws AigwError `store_*`
 */
export const verifyUsage = async (options: VerifyUsageOptions): Promise<UsageProof> => {
  const { traffic, mac, until, signal, onEvents } = options;
  // By hour, a report begins where single events still are.
  const { since: pruned } = await traffic.usageReport({ by: ["hour"], filter: {}, until: 1 });
  const asked = Math.max(options.since, pruned);
  const check = new SealCheck(mac, asked, until + HOUR_MS);
  const { cursor: stored } = await traffic.latestUsage({}, 0);
  const sums: UsageProblem[] = [];
  let [events, records] = [0, 0];
  const start = await firstDay(traffic, asked, until);
  // To the end of its day: a gateway's clock may be ahead of this one.
  for (let day = start; day < until + HOUR_MS; day += DAY_MS) {
    const span = { filter: { since: day }, until: day + DAY_MS };
    const before = await reportsOf(traffic, span);
    const counted = {
      hours: new ReportRows(KEYS.hours),
      days: new ReportRows(KEYS.days),
      totals: new ReportRows(KEYS.totals),
      dayTotals: new ReportRows(KEYS.dayTotals),
    };
    let cursor: string | undefined;
    for (;;) {
      signal?.throwIfAborted();
      const page = await traffic.usageBetween(span, cursor, PAGE);
      for (const event of page.events) {
        check.take(event);
        for (const table of TABLES) addEvent(counted[table].tallyOf(keyOf(table, event)), event);
      }
      events += page.events.length;
      onEvents?.(events);
      cursor = page.cursor;
      if (page.events.length < PAGE) break;
      await turn();
    }
    const after = await reportsOf(traffic, span);
    for (const table of TABLES) {
      const { compared, wrong } = compare(counted[table].all(), before[table], after[table]);
      records += compared;
      for (const key of wrong) sums.push({ kind: "sums", sums: table, day, key });
    }
  }
  await takeLate(traffic, check, stored);
  for (let month = startOf("month", start); month < until; month = startOf("month", month + 31 * DAY_MS)) {
    signal?.throwIfAborted();
    const { compared, wrong } = await compareMonth(traffic, month);
    records += compared;
    for (const key of wrong) sums.push({ kind: "sums", sums: "months", day: month, key });
  }
  check.finish();
  const { problems, batches, dropped, unproven } = check;
  return {
    ...{ since: start, until, events: check.events, batches, sums: records, dropped, unproven },
    problems: [...problems, ...sums],
  };
};

/** What was stored behind a cursor: a call that began before the place that was being read ended meanwhile. */
const takeLate = async (traffic: Pick<TrafficStore, "usageAfter">, check: SealCheck, cursor: string): Promise<void> => {
  for (let at = cursor; ; ) {
    const page = await traffic.usageAfter(at, {}, PAGE);
    for (const event of page.events) check.take(event, true);
    if (page.events.length < PAGE) return;
    at = page.cursor;
  }
};

/** The day of the oldest event: the years before it are not gone through day by day. */
const firstDay = async (
  traffic: Pick<TrafficStore, "usageBetween" | "usageReport">,
  since: number,
  until: number,
): Promise<number> => {
  const [oldest] = (await traffic.usageBetween({ filter: { since }, until }, undefined, 1)).events;
  const { rows } = await traffic.usageReport({ by: ["day"], filter: { since }, until });
  const days = rows.map(({ key: [day] }) => Number(day));
  return Math.floor(Math.max(since, Math.min(oldest?.at ?? until, ...days)) / DAY_MS) * DAY_MS;
};

/** Those that are compared with the events themselves. */
const TABLES = ["hours", "days", "totals", "dayTotals"] as const;
type DailyTable = (typeof TABLES)[number];

const ALL: readonly UsageKey[] = ["client", "service", "status", "model", "plan"];
const OF_ALL_CLIENTS = ALL.filter((key) => key !== "client");

/** From which sums a report by these keys is put together, when it is of whole days. */
const KEYS: Readonly<Record<DailyTable, readonly UsageKey[]>> = {
  hours: ["hour", ...ALL],
  days: ["day", ...ALL],
  totals: ["hour", ...OF_ALL_CLIENTS],
  dayTotals: ["day", ...OF_ALL_CLIENTS],
};

type Reports = Readonly<Record<DailyTable, readonly UsageRow[]>>;

const reportsOf = async (
  traffic: Pick<TrafficStore, "usageReport">,
  { filter, until }: { readonly filter: { readonly since: number }; readonly until: number },
): Promise<Reports> => {
  const rowsOf = async (table: DailyTable): Promise<readonly UsageRow[]> =>
    (await traffic.usageReport({ by: KEYS[table], filter, until })).rows;
  return {
    hours: await rowsOf("hours"),
    days: await rowsOf("days"),
    totals: await rowsOf("totals"),
    dayTotals: await rowsOf("dayTotals"),
  };
};

/** With the sums by day, which are compared with the events: whole months, also of days whose events are gone. */
const compareMonth = async (
  traffic: Pick<TrafficStore, "usageReport">,
  month: number,
): Promise<ReturnType<typeof compare>> => {
  const span = { filter: { since: month }, until: startOf("month", month + 31 * DAY_MS) };
  const byMonth = async (): Promise<readonly UsageRow[]> =>
    (await traffic.usageReport({ by: ["month", ...ALL], ...span })).rows;
  const before = await byMonth();
  const days = (await traffic.usageReport({ by: ["day", ...ALL], ...span })).rows;
  const groups = Map.groupBy(days, ({ key: [, ...rest] }) => rest.join(" "));
  const summed = [...groups.values()].map((group): UsageRow => {
    const [, ...rest] = group[0]?.key ?? [];
    return { key: [month, ...rest], tally: sumTallies(group.map(({ tally }) => tally)) };
  });
  return compare(summed, before, await byMonth());
};

const keyOf = (table: DailyTable, event: UsageEvent): readonly (string | number)[] => {
  const { at, client, service, status, model = "", plan = "" } = event;
  const hour = Math.floor(at / HOUR_MS) * HOUR_MS;
  const day = startOf("day", at);
  if (table === "totals" || table === "dayTotals")
    return [table === "totals" ? hour : day, service, status, model, plan];
  return [table === "hours" ? hour : day, client, service, status, model, plan];
};

/**
 * What was the same before the events were read and afterwards was so all the time, and must be what they come to.
 * @returns the keys of those that are not
 */
const compare = (
  counted: readonly UsageRow[],
  before: readonly UsageRow[],
  after: readonly UsageRow[],
): { readonly compared: number; readonly wrong: readonly UsageRow["key"][] } => {
  const [own, old, now] = [byKey(counted), byKey(before), byKey(after)];
  const wrong: UsageRow["key"][] = [];
  const keys = new Map([...counted, ...after].map(({ key }) => [key.join(" "), key]));
  for (const [name, key] of keys) {
    const summed = figuresOf(now.get(name));
    if (summed === figuresOf(old.get(name)) && summed !== figuresOf(own.get(name))) wrong.push(key);
  }
  return { compared: keys.size, wrong };
};

const byKey = (rows: readonly UsageRow[]): ReadonlyMap<string, UsageTally> =>
  new Map(rows.map(({ key, tally }) => [key.join(" "), tally]));

/** All but the sum of the latency as it is: that is added up in an order of its own, and rounded to a thousandth here. */
const figuresOf = (tally: UsageTally = emptyTally()): string => {
  const { units, cost, latencyMs, ...counts } = tally;
  const worth = [...units].filter(([, sum]) => sum > 0n).map(([unit, sum]) => `${unit} ${sum}`);
  return JSON.stringify([counts, Math.round(latencyMs * 1_000), String(cost), worth.toSorted()]);
};
