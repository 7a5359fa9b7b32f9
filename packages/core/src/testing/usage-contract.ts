import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TrafficStore } from "../store/store.ts";
import type { UsageEvent, UsageFilter } from "../usage/usage-event.ts";
import { anEvent } from "./builders.ts";
import type { WithStore } from "./store-contract.ts";

const ids = (events: readonly UsageEvent[]): readonly string[] => events.map((event) => event.id);

/** Follows from `cursor` until nothing is new. */
const drain = async (
  store: TrafficStore,
  cursor: string,
  filter: UsageFilter = {},
  limit = 7,
): Promise<{ readonly events: readonly UsageEvent[]; readonly cursor: string }> => {
  const events: UsageEvent[] = [];
  for (let at = cursor; ; ) {
    const page = await store.usageAfter(at, filter, limit);
    assert.ok(page.events.length <= limit);
    events.push(...page.events);
    if (page.events.length === 0 && page.cursor === at) return { events, cursor: at };
    at = page.cursor;
  }
};

export const usageContract = (withStore: WithStore): void => {
  describe("usage", () => {
    it(
      "comes back as it was recorded, in that order",
      withStore(async ({ one, two }) => {
        const { upstreamMs: _none, ...unanswered } = anEvent({ status: 0, outcome: "aborted" });
        const events = [
          anEvent(),
          unanswered,
          anEvent({ at: 1, path: "/api/ocr/ü?", bytesOut: 2 ** 40 }),
          anEvent({ status: 502, outcome: "upstream_error", reason: "refused" }),
          anEvent({ status: 429, outcome: "limited", count: 1_000 }),
          anEvent({
            units: { pages: 1_500_000, n: 0 },
            metered: "yes",
            from: "answer",
            model: "läma 3",
            cost: 1,
            plan: "pro",
          }),
          anEvent({ units: { pages: 10 ** 15 }, metered: "estimated", from: "request", cost: Number.MAX_SAFE_INTEGER }),
          anEvent({ units: {}, metered: "no", unread: "not_json", cost: null }),
          anEvent({ cost: 0 }),
          anEvent({ plan: "basic" }),
          anEvent({ queuedMs: 1_234.56 }),
          anEvent({ model: "m" }),
          anEvent({ seal: "1 0 1800000000000.5 abc def" }),
          // In a batch of many, with and without.
          ...Array.from({ length: 45 }, (_, n) => anEvent(n === 31 ? { units: { n: 7 }, metered: "yes" } : {})),
        ];
        await one.traffic.recordUsage(events);
        assert.deepEqual((await two.traffic.latestUsage({}, 100)).events, events);
      }),
    );

    it(
      "is stored once, however often a batch is repeated",
      withStore(async ({ one, two }) => {
        const [a, b, c] = [anEvent(), anEvent(), anEvent()];
        await one.traffic.recordUsage([a, b]);
        await one.traffic.recordUsage([a, b]);
        await two.traffic.recordUsage([{ ...b, status: 500 }, c, c]);
        await two.traffic.recordUsage([]);
        assert.deepEqual((await one.traffic.latestUsage({}, 10)).events, [a, b, c]);
      }),
    );

    it(
      "of which none is wanted gives the cursor alone",
      withStore(async ({ one, two }) => {
        await one.traffic.recordUsage([anEvent(), anEvent()]);
        const { events, cursor } = await two.traffic.latestUsage({}, 0);
        assert.deepEqual(events, []);
        const later = anEvent();
        await one.traffic.recordUsage([later]);
        assert.deepEqual((await two.traffic.usageAfter(cursor, {}, 10)).events, [later]);
      }),
    );

    it(
      "is followed by cursor without gap or repetition",
      withStore(async ({ one, two }) => {
        const start = await one.traffic.latestUsage({}, 10);
        assert.deepEqual(start.events, []);
        const first = Array.from({ length: 20 }, () => anEvent());
        await one.traffic.recordUsage(first);
        const page = await drain(two.traffic, start.cursor);
        assert.deepEqual(page.events, first);
        assert.deepEqual((await two.traffic.usageAfter(page.cursor, {}, 10)).events, []);
        const more = [anEvent(), anEvent()];
        await two.traffic.recordUsage(more);
        assert.deepEqual((await drain(two.traffic, page.cursor)).events, more);
        const other = [anEvent()];
        await one.traffic.recordUsage(other);
        assert.deepEqual((await drain(two.traffic, page.cursor)).events, [...more, ...other]);
        const tail = await one.traffic.latestUsage({}, 3);
        assert.deepEqual(ids(tail.events), ids([...more, ...other]));
        assert.deepEqual((await one.traffic.usageAfter(tail.cursor, {}, 10)).events, []);
      }),
    );

    it(
      "is filtered by every field given",
      withStore(async ({ one }) => {
        const events = [
          anEvent({ client: "john", service: "ocr", status: 200, at: 1_000 }),
          anEvent({ client: "john", service: "chat", status: 429, at: 2_000 }),
          anEvent({ client: "ann", service: "ocr", status: 404, at: 3_000 }),
          anEvent({ client: "ann", service: "ocr", status: 500, at: 4_000 }),
        ];
        const start = await one.traffic.latestUsage({}, 1);
        await one.traffic.recordUsage(events);
        const cases: readonly (readonly [UsageFilter, readonly number[]])[] = [
          [{}, [0, 1, 2, 3]],
          [{ client: "john" }, [0, 1]],
          [{ service: "ocr" }, [0, 2, 3]],
          [{ status: { from: 400, to: 499 } }, [1, 2]],
          [{ since: 3_000 }, [2, 3]],
          [{ client: "ann", service: "ocr", status: { from: 500, to: 500 }, since: 4_000 }, [3]],
          [{ client: "nobody" }, []],
        ];
        for (const [filter, expected] of cases) {
          const wanted = events.filter((_, index) => expected.includes(index));
          assert.deepEqual((await one.traffic.latestUsage(filter, 10)).events, wanted, JSON.stringify(filter));
          assert.deepEqual((await drain(one.traffic, start.cursor, filter, 1)).events, wanted, JSON.stringify(filter));
        }
        assert.deepEqual(ids((await one.traffic.latestUsage({ service: "ocr" }, 2)).events), ids(events.slice(2)));
      }),
    );

    it(
      "is followed without loss while two handles write",
      withStore(async ({ one, two }) => {
        const events = Array.from({ length: 200 }, () => anEvent());
        let cursor = (await one.traffic.latestUsage({}, 1)).cursor;
        const seen: UsageEvent[] = [];
        const write = async (store: TrafficStore, from: number): Promise<void> => {
          for (let index = from; index < events.length; index += 2)
            await store.recordUsage(events.slice(index, index + 1));
        };
        const writing = Promise.all([write(one.traffic, 0), write(two.traffic, 1)]);
        for (let turn = 0; seen.length < events.length && turn < 10_000; turn += 1) {
          const page = await two.traffic.usageAfter(cursor, {}, 5);
          seen.push(...page.events);
          cursor = page.cursor;
        }
        await writing;
        assert.equal(seen.length, events.length);
        assert.deepEqual([...ids(seen)].sort(), [...ids(events)].sort());
      }),
    );
  });
};
