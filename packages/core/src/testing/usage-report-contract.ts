import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TrafficStore } from "../store/store.ts";
import { DAY_MS, HOUR_MS } from "../usage/report-plan.ts";
import type { UsageEvent } from "../usage/usage-event.ts";
import type { UsageKey } from "../usage/usage-report.ts";
import { anEvent } from "./builders.ts";
import type { WithStore } from "./store-contract.ts";
import { counted, DAY, FILTERS, foldAll, pruneAll, QUERIES, rowsOf, someEvents } from "./usage-report-model.ts";

/** Of each engine's time the queries take the most: a third of them at a time, so that three times ask each. */
const AT_ONCE = 3;
let times = 0;

const assertReports = async (store: TrafficStore, events: readonly UsageEvent[]): Promise<void> => {
  times += 1;
  // One after the other: all at once would wait for connections, of which there are few.
  for (const query of QUERIES.filter((_, index) => index % AT_ONCE === times % AT_ONCE)) {
    const report = await store.usageReport(query);
    const { by, filter, until } = query;
    assert.deepEqual(rowsOf(report), counted(events, by, filter, until), JSON.stringify(query));
    assert.equal(report.since, filter.since ?? 0, JSON.stringify(query));
  }
};

export const usageReportContract = (withStore: WithStore): void => {
  describe("usage reports", () => {
    it(
      "are exact, whatever has been folded",
      withStore(async ({ one, two }) => {
        const events = someEvents();
        await one.traffic.recordUsage(events.slice(0, 300));
        await assertReports(two.traffic, events.slice(0, 300));
        assert.deepEqual(await one.traffic.foldUsage(25), { events: 25, more: true });
        await assertReports(two.traffic, events.slice(0, 300));
        assert.equal(await foldAll(two.traffic), 275);
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

  describe("usage reports of many months", () => {
    it(
      "are exact by client and of all clients, wherever they begin and end, pruned or not",
      withStore(async ({ one, two }) => {
        // The turn of the year among them.
        const events = someEvents().map((event, index) => ({
          ...event,
          at: event.at + ((index % 20) - 10) * 9 * DAY_MS,
        }));
        await one.traffic.recordUsage(events);
        await one.traffic.foldUsage(250);
        const days = [0, Date.UTC(2026, 9, 12), Date.UTC(2026, 11, 1), Date.UTC(2027, 0, 17), Date.UTC(2027, 2, 1)];
        const assertAll = async (): Promise<void> => {
          for (const [index, since] of days.entries())
            for (const until of [...days.slice(index + 1), undefined])
              for (const by of [["month"], ["client"], ["week", "service"]] satisfies UsageKey[][]) {
                const query = { by, filter: { since }, ...(until !== undefined && { until }) };
                const rows = rowsOf(await two.traffic.usageReport(query));
                assert.deepEqual(rows, counted(events, by, { since }, until), JSON.stringify(query));
              }
        };
        await assertAll();
        await foldAll(two.traffic);
        await pruneAll(one.traffic, Date.UTC(2026, 11, 20));
        await assertAll();
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
