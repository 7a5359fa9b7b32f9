import assert from "node:assert/strict";
import { describe, it } from "node:test";
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
  type UsageRow,
} from "../usage/usage-report.ts";
import { anEvent } from "./builders.ts";
import type { WithStore } from "./store-contract.ts";

const DAY = Date.UTC(2027, 0, 10);
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
const someEvents = (): readonly UsageEvent[] =>
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
const counted = (
  events: readonly UsageEvent[],
  by: readonly UsageKey[],
  filter: UsageFilter,
  until = Number.POSITIVE_INFINITY,
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

const rowsOf = (report: UsageReport): readonly UsageRow[] => sorted(report.rows);

const foldAll = async (store: TrafficStore): Promise<number> => {
  let folded = 0;
  for (let turn = 0; turn < 1_000; turn += 1) {
    const { events, more } = await store.foldUsage(64);
    assert.ok(events <= 64);
    folded += events;
    if (!more) return folded;
  }
  throw new Error("folding does not end");
};

const pruneAll = async (store: TrafficStore, before: number): Promise<number> => {
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

const FILTERS: readonly UsageFilter[] = [
  {},
  { client: "c1" },
  { service: "ocr", status: { from: 400, to: 499 } },
  { client: "nobody" },
];

const QUERIES = PERIODS.flatMap(([since, until]) =>
  GROUPINGS.flatMap((by) =>
    FILTERS.map((fields) => ({
      by,
      filter: { ...fields, ...(since !== undefined && { since }) },
      ...(until !== undefined && { until }),
    })),
  ),
);

/** Of each engine's time the queries take the most: a third of them at a time, so that three times ask each. */
const AT_ONCE = 3;
let times = 0;

const assertReports = async (store: TrafficStore, events: readonly UsageEvent[]): Promise<void> => {
  times += 1;
  await Promise.all(
    QUERIES.filter((_, index) => index % AT_ONCE === times % AT_ONCE).map(async (query) => {
      const report = await store.usageReport(query);
      const { by, filter, until } = query;
      assert.deepEqual(rowsOf(report), counted(events, by, filter, until), JSON.stringify(query));
      assert.equal(report.since, filter.since ?? 0, JSON.stringify(query));
    }),
  );
};

export const usageReportContract = (withStore: WithStore): void => {
  describe("usage reports", () => {
    it(
      "are exact, whatever has been folded",
      withStore(async ({ one, two }) => {
        const events = someEvents();
        await one.traffic.recordUsage(events.slice(0, 300));
        await assertReports(two.traffic, events.slice(0, 300));
        assert.deepEqual(await one.traffic.foldUsage(100), { events: 100, more: true });
        await assertReports(two.traffic, events.slice(0, 300));
        assert.equal(await foldAll(two.traffic), 200);
        await two.traffic.recordUsage(events.slice(300));
        await assertReports(one.traffic, events);
        assert.equal(await foldAll(one.traffic), 100);
        assert.deepEqual(await one.traffic.foldUsage(100), { events: 0, more: false });
        await assertReports(one.traffic, events);
      }),
    );

    it(
      "count an event once, however often its batch is repeated and whoever folds",
      withStore(async ({ one, two }) => {
        const events = someEvents();
        await one.traffic.recordUsage(events);
        await one.traffic.foldUsage(150);
        await two.traffic.recordUsage(events);
        await Promise.all([foldAll(one.traffic), foldAll(two.traffic)]);
        await one.traffic.recordUsage(events);
        await assertReports(one.traffic, events);
      }),
    );

    it(
      "still count the days whose events were pruned",
      withStore(async ({ one, two }) => {
        const events = someEvents();
        await one.traffic.recordUsage(events);
        const cut = DAY + 2 * DAY_MS;
        assert.deepEqual(await one.traffic.pruneUsage(cut, 16), { events: 0, more: false });
        await foldAll(one.traffic);
        const gone = events.filter((event) => event.at < cut).length;
        assert.equal(await pruneAll(two.traffic, cut + 5 * HOUR_MS), gone);
        assert.equal(await pruneAll(one.traffic, cut), 0);
        const left = await one.traffic.latestUsage({}, 1_000);
        assert.deepEqual(
          left.events,
          events.filter((event) => event.at >= cut),
        );

        const all = await one.traffic.usageReport({ by: ["client"], filter: {} });
        assert.deepEqual(rowsOf(all), counted(events, ["client"], {}));
        const ragged = await one.traffic.usageReport({ by: [], filter: { since: DAY + DAY_MS + 5 } });
        assert.equal(ragged.since, DAY + DAY_MS);
        assert.deepEqual(rowsOf(ragged), counted(events, [], { since: DAY + DAY_MS }));
        const past = { by: [], filter: { since: DAY }, until: DAY + 5 } as const;
        assert.deepEqual(rowsOf(await one.traffic.usageReport(past)), counted(events, [], {}, DAY + DAY_MS));
        const hours = await one.traffic.usageReport({ by: ["hour"], filter: { since: DAY } });
        assert.equal(hours.since, cut);
        assert.deepEqual(rowsOf(hours), counted(events, ["hour"], { since: cut }));

        const late = anEvent({ at: DAY + 1, client: "c1" });
        await one.traffic.recordUsage([late]);
        for (let turn = 0; turn < 3; turn += 1) {
          const report = await two.traffic.usageReport({ by: ["day"], filter: {} });
          assert.deepEqual(rowsOf(report), counted([...events, late], ["day"], {}));
          await (turn === 0 ? foldAll(two.traffic) : pruneAll(two.traffic, cut));
        }
      }),
    );
  });

  describe("usage by time", () => {
    it(
      "is paged in order of time, also of events of the same moment",
      withStore(async ({ one }) => {
        const events = [...someEvents().slice(0, 60), ...Array.from({ length: 40 }, () => anEvent({ at: DAY + 3 }))];
        await one.traffic.recordUsage(events);
        for (const fields of FILTERS) {
          const span = { filter: { ...fields, since: DAY + 3 }, until: DAY + 2 * DAY_MS };
          const found: UsageEvent[] = [];
          let cursor: string | undefined;
          for (let full = true; full; ) {
            const page = await one.traffic.usageBetween(span, cursor, 7);
            found.push(...page.events);
            cursor = page.cursor;
            full = page.events.length === 7;
          }
          const all = await one.traffic.usageBetween(span, undefined, 1_000);
          assert.deepEqual(found, all.events);
          const times = found.map((event) => event.at);
          assert.deepEqual(
            times,
            times.toSorted((a, b) => a - b),
          );
          const total = counted(events, [], span.filter, span.until)[0]?.tally.requests ?? 0;
          const requests = found.reduce((sum, { count = 1 }) => sum + count, 0);
          assert.equal(requests, total, JSON.stringify(fields));
          assert.equal(new Set(found.map((event) => event.id)).size, found.length);
        }
      }),
    );

    it(
      "is found by request id, newest first",
      withStore(async ({ one }) => {
        const events = [DAY, DAY + 9, DAY + 5].map((at) => anEvent({ at, requestId: "r-same" }));
        await one.traffic.recordUsage([...events, anEvent({ at: DAY, requestId: "r-other" })]);
        const found = async (id: string, since: number): Promise<readonly number[]> =>
          (await one.traffic.usageOfRequest(id, since)).map((event) => event.at - DAY);
        assert.deepEqual(await found("r-same", 0), [9, 5, 0]);
        assert.deepEqual(await found("r-same", DAY + 6), [9]);
        assert.deepEqual(await found("r-none", 0), []);
      }),
    );

    it(
      "tells when a client was last seen, folded or not, pruned or not",
      withStore(async ({ one, two }) => {
        await one.traffic.recordUsage([
          anEvent({ client: "a", at: DAY + 7 }),
          anEvent({ client: "a", at: DAY + 5 }),
          anEvent({ client: "b", at: DAY - DAY_MS }),
        ]);
        const expected = new Map([
          ["a", DAY + 7],
          ["b", DAY - DAY_MS],
        ]);
        assert.deepEqual(await two.traffic.lastUsage(["a", "b", "c"]), expected);
        await foldAll(one.traffic);
        await pruneAll(one.traffic, DAY + 3 * DAY_MS);
        assert.deepEqual(await two.traffic.lastUsage(["b", "a", "c"]), new Map([...expected].toReversed()));
        await one.traffic.recordUsage([anEvent({ client: "b", at: DAY + DAY_MS })]);
        assert.deepEqual(await two.traffic.lastUsage(["b"]), new Map([["b", DAY + DAY_MS]]));
        await one.traffic.recordUsage([
          anEvent({ client: "b", at: DAY + 2 * DAY_MS, outcome: "denied", status: 401 }),
          anEvent({ client: "d", at: DAY + 2 * DAY_MS, outcome: "limited", status: 429 }),
        ]);
        const letIn = new Map([
          ["a", DAY + 7],
          ["b", DAY + DAY_MS],
        ]);
        assert.deepEqual(await two.traffic.lastUsage(["a", "b", "d"], { letIn: true }), letIn);
        await foldAll(one.traffic);
        assert.deepEqual(await two.traffic.lastUsage(["a", "b", "d"], { letIn: true }), letIn);
        assert.deepEqual(
          await two.traffic.lastUsage(["b", "d"]),
          new Map([
            ["b", DAY + 2 * DAY_MS],
            ["d", DAY + 2 * DAY_MS],
          ]),
        );
      }),
    );
  });
};
