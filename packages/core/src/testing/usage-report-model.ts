import assert from "node:assert/strict";
import type { TrafficStore } from "../store/store.ts";
import { bucketOf } from "../usage/latency-buckets.ts";
import { DAY_MS, HOUR_MS } from "../usage/report-plan.ts";
import { OUTCOMES, type UsageEvent, type UsageFilter } from "../usage/usage-event.ts";
import {
  addCalls,
  emptyTally,
  isTimed,
  type UsageKey,
  type UsageReport,
  type UsageReportQuery,
  type UsageRow,
} from "../usage/usage-report.ts";
import { anEvent } from "./builders.ts";

export const DAY: number = Date.UTC(2027, 0, 10);
const STATUSES = [200, 200, 200, 404, 429, 502];

/** What a meter and prices make of the calls of "ocr" alone; some values are more than their sums fit a number. */
const worthAt = (index: number): Partial<UsageEvent> => {
  if (index % 11 === 0) return { metered: "no", unread: "not_found", cost: null };
  return {
    units: { pages: (index % 4) * 500_000, ...(index % 3 === 0 && { input_tokens: 999_999_999_999_999 - index }) },
    metered: index % 13 === 0 ? "estimated" : "yes",
    from: index % 2 === 0 ? "answer" : "request",
    ...(index % 5 > 0 && { model: ["llama 3", "gpt-4o"][index % 2] ?? "" }),
    ...(index % 7 > 0 && { cost: index % 7 === 1 ? 0 : Number.MAX_SAFE_INTEGER - index }),
  };
};

/** 400 events over four days, no two alike, not in the order of time; some stand for several requests. */
export const someEvents = (): readonly UsageEvent[] =>
  Array.from({ length: 400 }, (_, index) =>
    anEvent({
      at: DAY + ((index * 7_919_993) % (4 * DAY_MS)),
      client: `c${index % 3}`,
      service: ["ocr", "chat", ""][index % 7 > 1 ? 0 : 1 + (index % 2)] ?? "",
      status: STATUSES[index % STATUSES.length] ?? 0,
      outcome: OUTCOMES[index % OUTCOMES.length] ?? "ok",
      latencyMs: (index % 40) ** 2 / 2,
      bytesIn: index,
      bytesOut: 2 * index,
      ...(index % 9 === 0 && { count: 2 + (index % 5) }),
      ...(index % 7 > 1 && worthAt(index)),
      ...(index % 3 === 1 && { plan: index < 200 ? "basic" : "pro" }),
    }),
  );

const KEYS: Readonly<Record<UsageKey, (event: UsageEvent) => string | number>> = {
  client: (event) => event.client,
  service: (event) => event.service,
  model: ({ model = "" }) => model,
  plan: ({ plan = "" }) => plan,
  status: (event) => event.status,
  hour: (event) => Math.floor(event.at / HOUR_MS) * HOUR_MS,
  day: (event) => Math.floor(event.at / DAY_MS) * DAY_MS,
  // 2027-01-04 is a Monday.
  week: (event) => MONDAY + Math.floor((event.at - MONDAY) / (7 * DAY_MS)) * 7 * DAY_MS,
  month: (event) => Date.parse(`${new Date(event.at).toISOString().slice(0, 7)}-01`),
};
const MONDAY = Date.UTC(2027, 0, 4);

/** What the report must be, by going through all events. */
export const counted = (
  events: readonly UsageEvent[],
  by: readonly UsageKey[],
  filter: UsageFilter,
  until: number = Number.POSITIVE_INFINITY,
): readonly UsageRow[] => {
  const rows = new Map<string, UsageRow>();
  for (const event of events) {
    const { status } = filter;
    if (event.at < (filter.since ?? 0) || event.at >= until) continue;
    if (filter.client !== undefined && event.client !== filter.client) continue;
    if (filter.service !== undefined && event.service !== filter.service) continue;
    if (status !== undefined && (event.status < status.from || event.status > status.to)) continue;
    const key = by.map((name) => KEYS[name](event));
    const row = rows.get(key.join()) ?? { key, tally: emptyTally() };
    rows.set(key.join(), row);
    const { count: requests = 1 } = event;
    const { cost, metered } = event;
    addCalls(row.tally, {
      ...event,
      requests,
      latencyMs: event.latencyMs * requests,
      priced: typeof cost === "number" ? requests : 0,
      unpriced: cost === null ? requests : 0,
      metered: metered === undefined ? 0 : requests,
      unread: metered === "no" ? requests : 0,
      estimated: metered === "estimated" ? requests : 0,
    });
    row.tally.cost += BigInt(cost ?? 0);
    for (const [unit, value] of Object.entries(event.units ?? {}))
      row.tally.units.set(unit, (row.tally.units.get(unit) ?? 0n) + BigInt(value));
    const bucket = bucketOf(event.latencyMs);
    if (isTimed(event.outcome)) row.tally.latencies[bucket] = (row.tally.latencies[bucket] ?? 0) + requests;
  }
  return sorted([...rows.values()]);
};

const sorted = (rows: readonly UsageRow[]): readonly UsageRow[] =>
  rows.toSorted((one, other) => (one.key.join() < other.key.join() ? -1 : 1));

export const rowsOf = (report: UsageReport): readonly UsageRow[] => sorted(report.rows);

export const foldAll = async (store: TrafficStore): Promise<number> => {
  let folded = 0;
  for (let turn = 0; turn < 1_000; turn += 1) {
    const { events, more } = await store.foldUsage(64);
    assert.ok(events <= 64);
    folded += events;
    if (!more) return folded;
  }
  throw new Error("folding does not end");
};

export const pruneAll = async (store: TrafficStore, before: number): Promise<number> => {
  let events = 0;
  for (let turn = 0; turn < 1_000; turn += 1) {
    const pruned = await store.pruneUsage(before, 16);
    assert.ok(pruned.events <= 16);
    events += pruned.events;
    if (!pruned.more) return events;
  }
  throw new Error("pruning does not end");
};

const PERIODS: readonly (readonly [since: number | undefined, until: number | undefined])[] = [
  [undefined, undefined],
  [DAY + 1.5 * HOUR_MS, undefined],
  [DAY + 1.2 * HOUR_MS, DAY + 1.7 * HOUR_MS],
  [DAY + 1.2 * HOUR_MS, DAY + 2.7 * HOUR_MS],
  [DAY + 2 * HOUR_MS, DAY + 5 * HOUR_MS],
  [DAY + 20.5 * HOUR_MS, DAY + 2 * DAY_MS + 3.25 * HOUR_MS],
  [DAY + DAY_MS, DAY + 2 * DAY_MS],
  [DAY - 5 * DAY_MS, DAY],
  [DAY + 9, DAY + 3],
];

const GROUPINGS: readonly (readonly UsageKey[])[] = [
  [],
  ["client"],
  ["service", "status"],
  ["hour"],
  ["day", "client"],
  ["service", "model"],
  ["week", "plan"],
  ["week", "service", "client"],
  ["month"],
];

export const FILTERS: readonly UsageFilter[] = [
  {},
  { client: "c1" },
  { service: "ocr", status: { from: 400, to: 499 } },
  { client: "nobody" },
];

export const QUERIES: readonly UsageReportQuery[] = PERIODS.flatMap(([since, until]) =>
  GROUPINGS.flatMap((by) =>
    FILTERS.map((fields) => ({
      by,
      filter: { ...fields, ...(since !== undefined && { since }) },
      ...(until !== undefined && { until }),
    })),
  ),
);
