import type { Collection, Filter } from "mongodb";
import { ReportRows, startOf } from "../../../usage/report-keys.ts";
import { dayOfMonth, withMonths } from "../../../usage/report-months.ts";
import { DAY_MS, HOUR_MS, planReport, type Range, type ReportPlan } from "../../../usage/report-plan.ts";
import { monthOf } from "../../../usage/usage-groups.ts";
import {
  addCalls,
  addWorthTo,
  isTimed,
  type UsageKey,
  type UsageReport,
  type UsageReportQuery,
} from "../../../usage/usage-report.ts";
import { addWorth, WORTH_COUNTS, type Worth } from "../../../usage/worth.ts";
import type { TrafficCollections, UsageBatch, UsageSums } from "./collections.ts";
import { inStrides } from "./in-strides.ts";
import { readFoldState } from "./usage-fold.ts";
import type { UsageLog } from "./usage-log.ts";
import { batchBehind, PLACE } from "./usage-place.ts";
import { keyOfSums, worthOfSums } from "./usage-sums.ts";
import { type Counted, countedEvents, type EventsOfGroup, groupEvents, SUMS_ID } from "./usage-tally-events.ts";

/** A collection of sums and the part of a report's period that is read from it. */
interface Source {
  readonly sums: Collection<UsageSums>;
  readonly period: Period;
  readonly range: Range;
  /** Of all clients together. */
  readonly total: boolean;
}

interface Period {
  readonly name: "hour" | "day" | "month";
  /** Milliseconds since the epoch. */
  readonly startOf: (period: number) => number;
  readonly at: (time: number) => number;
}

const evenly = (name: Period["name"], length: number): Period => ({
  name,
  startOf: (period) => period * length,
  at: (time) => Math.floor(time / length),
});
const HOURS = evenly("hour", HOUR_MS);
const DAYS = evenly("day", DAY_MS);
const MONTHS: Period = { name: "month", startOf: (month) => dayOfMonth(month) * DAY_MS, at: monthOf };

/** A record of sums that has taken in events behind the place up to which all records have. */
interface Ahead {
  readonly source: Source;
  readonly id: UsageSums["_id"];
  readonly cur: number;
}

/** What the first query goes through: of a ragged edge, and of what is not in the sums yet. */
const FIRST_WINDOW_MS = 600_000;
const FIRST_BATCHES = 1_000;

/** Pruning happens once a day, and old events come only after an outage: that it meets a report twice is a wonder. */
const TRIES = 5;

/**
 * Whole months, days and hours from the sums, single events for the ragged edges and for what is not in the sums yet:
 * exact as of one moment, without a snapshot, and while others record, fold and prune. First the place up to which
 * everything is in the sums; then the sums, each record with the place that it has come to itself, which may be further;
 * then the newest event; then every event between, but for those that the record of its own has taken in already. Folding
 * only moves events from one side to the other. Pruning takes some away, and says so before, and which: then all of it is
 * read anew, unless what has gone was in the sums from the beginning.
 */
export const reportUsage = async (
  collections: TrafficCollections,
  log: UsageLog,
  query: UsageReportQuery,
): Promise<UsageReport> => {
  for (let attempt = 1; ; attempt += 1) {
    const known = await readKnown(collections);
    const report = await readReport(collections, log, query, known);
    const { pruned, gone = -1 } = await readFoldState(collections.state);
    if ((pruned === known.pruned && gone <= known.folded) || attempt === TRIES) return report;
  }
};

interface Known {
  /** Everything up to this place in the log is in the sums that are read. */
  readonly folded: number;
  readonly pruned: number;
  /** Whether the sums of months, and of days of all clients, are there. */
  readonly isCoarse: boolean;
}

const readKnown = async ({ state, coarse }: TrafficCollections): Promise<Known> => {
  const { seq, pruned, gone = -1 } = await readFoldState(state);
  const found = await coarse.findOne({ _id: "coarse" });
  // Of what was pruned before they took it in they are made anew.
  const isCoarse = found !== null && found.next === undefined && gone <= found.seq;
  return { folded: isCoarse ? Math.min(seq, found.seq) : seq, pruned, isCoarse };
};

const readReport = async (
  collections: TrafficCollections,
  log: UsageLog,
  query: UsageReportQuery,
  { folded, pruned, isCoarse }: Known,
): Promise<UsageReport> => {
  const { filter, by, until = Number.POSITIVE_INFINITY } = query;
  const plan = planReport({ by, since: filter.since ?? 0, until, prunedBefore: pruned });
  const rows = new ReportRows(by);
  const ahead: Ahead[] = [];
  const sources = sourcesOf(collections, query, plan, isCoarse);
  for (const { counted, ahead: more } of await Promise.all(sources.map((source) => readSums(source, query, folded)))) {
    for (const row of counted) addRow(rows, row);
    ahead.push(...more);
  }
  const head = await log.head();
  const { usage } = collections;
  const events = await Promise.all([
    ...plan.raw.map((edge) => readEdge(usage, query, edge, folded)),
    readUnfolded(usage, query, { plan, folded, head, ahead }),
  ]);
  for (const row of events.flat()) addRow(rows, row);
  return {
    since: plan.since,
    until: plan.until === Number.POSITIVE_INFINITY ? undefined : plan.until,
    rows: rows.all(),
  };
};

const addRow = (rows: ReportRows, { key, latencies, worth, ...calls }: Counted): void => {
  const tally = rows.tallyOf(key);
  addCalls(tally, calls);
  for (const [unit, sum] of worth) addWorthTo(tally, unit, sum);
  if (!isTimed(calls.outcome)) return;
  for (const [bucket, requests] of latencies) tally.latencies[bucket] = (tally.latencies[bucket] ?? 0) + requests;
};

const sourcesOf = (
  { hours, days, totals, dayTotals, months }: TrafficCollections,
  { by, filter }: UsageReportQuery,
  plan: ReportPlan,
  isCoarse: boolean,
): readonly Source[] => {
  const total = !by.includes("client") && filter.client === undefined;
  const sourceOf = (sums: Collection<UsageSums>, period: Period, ranges: readonly Range[]): readonly Source[] =>
    ranges.map((range) => ({ sums, period, range, total: sums === totals || sums === dayTotals }));
  const byHour = sourceOf(total ? totals : hours, HOURS, plan.hours);
  if (isCoarse && total) return [...sourceOf(dayTotals, DAYS, plan.days), ...byHour];
  // The days of a client are found by an index.
  const parts = isCoarse && filter.client === undefined ? withMonths(plan.days, by) : { months: [], days: plan.days };
  return [...sourceOf(months, MONTHS, parts.months), ...sourceOf(days, DAYS, parts.days), ...byHour];
};

/**
 * Added up here: forty accumulators over a few fields each take the server three times as long as handing the records
 * over takes both.
 */
const readSums = async (
  source: Source,
  { by, filter: { client, service, status } }: UsageReportQuery,
  folded: number,
): Promise<{ readonly counted: readonly Counted[]; readonly ahead: readonly Ahead[] }> => {
  const { sums, period, range } = source;
  const records = sums.find({
    _id: { $gte: { p: range.from }, $lt: { p: range.to } },
    ...(client !== undefined && { "_id.c": client, "_id.p": { $gte: range.from, $lt: range.to } }),
    ...(service !== undefined && { "_id.s": service }),
    ...(status !== undefined && { "_id.u": { $gte: status.from, $lte: status.to } }),
  } as Filter<UsageSums>);
  const groups = new Map<string, SumsOfGroup>();
  const ahead: Ahead[] = [];
  for await (const record of records) {
    const { _id: id, cur, n, in: bytesIn, out: bytesOut, ms, b } = record;
    if (cur > folded) ahead.push({ source, id, cur });
    const start = period.startOf(id.p);
    const key = by.map((name) => SUMS_KEYS[name](id, start));
    const name = `${key.join(" ")} ${id.o}`;
    let group = groups.get(name);
    if (group === undefined) {
      group = { ...NOTHING, key, outcome: id.o, latencies: new Map(), worth: new Map() };
      groups.set(name, group);
    }
    group.requests += n;
    group.bytesIn += bytesIn;
    group.bytesOut += bytesOut;
    group.latencyMs += ms;
    for (const count of WORTH_COUNTS) group[count] += record[count] ?? 0;
    for (const [unit, sum] of worthOfSums(record.w)) addWorth(group.worth, unit, sum);
    for (const bucket in b)
      group.latencies.set(Number(bucket), (group.latencies.get(Number(bucket)) ?? 0) + (b[bucket] ?? 0));
  }
  return { counted: [...groups.values()], ahead };
};

const NOTHING = {
  ...{ requests: 0, bytesIn: 0, bytesOut: 0, latencyMs: 0 },
  ...{ priced: 0, unpriced: 0, metered: 0, unread: 0, estimated: 0 },
};

type SumsOfGroup = {
  -readonly [Field in keyof Counted]: Counted[Field];
} & { readonly latencies: Map<number, number>; readonly worth: Worth };

/** The keys of a report from the key of a record and the start of its period. */
const SUMS_KEYS: Readonly<Record<UsageKey, (id: UsageSums["_id"], start: number) => string | number>> = {
  client: ({ c }) => c,
  service: ({ s }) => s,
  model: ({ m = "" }) => m,
  plan: ({ l = "" }) => l,
  status: ({ u }) => u,
  hour: (_, start) => start,
  day: (_, start) => startOf("day", start),
  week: (_, start) => startOf("day", start),
  month: (_, start) => startOf("day", start),
};

/** A ragged edge is found by time; of it, what is not in the sums yet is found with the rest of that. */
const readEdge = async (
  usage: Collection<UsageBatch>,
  query: UsageReportQuery,
  { from, to }: Range,
  folded: number,
): Promise<readonly Counted[]> => {
  const counted: Counted[] = [];
  const place = { $lte: [PLACE, folded] };
  await inStrides(from, to, FIRST_WINDOW_MS, async (start, end) => {
    const groups = await groupEvents(usage, query, { batches: {}, from: start, until: end, place });
    counted.push(...groups.map(countedEvents));
    return true;
  });
  return counted;
};

/** What the sums had not taken in when they were read. */
const readUnfolded = async (
  usage: Collection<UsageBatch>,
  query: UsageReportQuery,
  {
    plan,
    folded,
    head,
    ahead,
  }: {
    readonly plan: ReportPlan;
    readonly folded: number;
    readonly head: number;
    readonly ahead: readonly Ahead[];
  },
): Promise<readonly Counted[]> => {
  const groups = async (apart?: Record<string, unknown>): Promise<readonly EventsOfGroup[]> => {
    const all: EventsOfGroup[] = [];
    await inStrides(batchBehind(folded), head + 1, FIRST_BATCHES, async (from, to) => {
      const which = {
        batches: { _id: { $gte: from, $lt: to } },
        from: plan.since,
        until: plan.until,
        place: { $gt: [PLACE, folded] },
      };
      all.push(...(await groupEvents(usage, query, { ...which, ...(apart && { apart }) })));
      return true;
    });
    return all;
  };
  if (ahead.length === 0) return (await groups()).map(countedEvents);
  // Kept apart by record and by the slices that records have taken in, to leave out what is in a record's sums.
  const ends = [...new Set(ahead.map(({ cur }) => cur))].sort((one, other) => one - other);
  const apart = {
    id: SUMS_ID,
    slice: { $add: ends.map((end) => ({ $cond: [{ $gt: [PLACE, end] }, 1, 0] })) },
  };
  const taken = new Map(ahead.map(({ source, id, cur }) => [nameOf(source, id), ends.indexOf(cur)]));
  const sources = [...new Set(ahead.map(({ source }) => source))];
  const isTaken = ({ _id: { id, slice = 0 } }: EventsOfGroup): boolean => {
    if (id === undefined) return false;
    const at = id.p * HOUR_MS;
    const source = sources.find(({ period, range }) => period.at(at) >= range.from && period.at(at) < range.to);
    if (source === undefined) return false;
    const own = { ...id, p: source.period.at(at), ...(source.total && { c: "" }) };
    return slice <= (taken.get(nameOf(source, own)) ?? -1);
  };
  return (await groups(apart)).filter((group) => !isTaken(group)).map(countedEvents);
};

const nameOf = ({ range, period }: Source, id: UsageSums["_id"]): string =>
  [range.from, period.name, ...keyOfSums(id)].join(" ");
