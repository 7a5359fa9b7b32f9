import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { UsageEvent } from "@aigw/core";
import { anEvent } from "@aigw/core/testing";
import { HOUR_MS } from "@aigw/core/usage";
import { Refusals } from "../src/metering/refusals.ts";

const NOON = Date.UTC(2027, 0, 1, 12);

const set = (t: { mock: { timers: { enable(options: { apis: ["setTimeout"] }): void; tick(ms: number): void } } }) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const recorded: UsageEvent[] = [];
  const refusals = new Refusals((event) => recorded.push(event));
  let now = 0;
  const pass = (ms: number): void => {
    now += ms;
    t.mock.timers.tick(ms);
  };
  const limited = (fields: Partial<UsageEvent> = {}): UsageEvent => {
    const event = anEvent({ at: NOON + now, status: 429, outcome: "limited", bytesOut: 100, latencyMs: 1, ...fields });
    refusals.take(event, now);
    return event;
  };
  const counts = (): readonly number[] => recorded.splice(0).map(({ count = 1 }) => count);
  return { refusals, recorded, pass, limited, counts };
};
const times = (count: number, work: () => unknown): void => {
  for (let index = 0; index < count; index += 1) work();
};

describe("refused calls", () => {
  it("are an event each up to 60 in a minute and client, then one for each second, outcome, status and service", (t) => {
    const { recorded, pass, limited, counts } = set(t);
    times(60, limited);
    assert.equal(counts().length, 60);
    const first = limited({ path: "/api/ocr/1", requestId: "r-first", latencyMs: 1 });
    times(9, () => limited({ bytesIn: 7, latencyMs: 3 }));
    times(5, () => limited({ status: 401, outcome: "denied" }));
    times(3, () => limited({ status: 404, outcome: "denied", service: "" }));
    limited({ client: "mary" });
    assert.deepEqual(counts(), [1], "mary has a minute of her own");
    pass(1_000);
    const { count, bytesIn, bytesOut, latencyMs, ...rest } = recorded[0] as UsageEvent;
    assert.deepEqual(
      { ...rest, ...{ bytesIn: 0, bytesOut: 0, latencyMs: 0 } },
      { ...first, bytesIn: 0, bytesOut: 0, latencyMs: 0 },
    );
    assert.deepEqual([count, bytesIn, bytesOut, latencyMs], [10, first.bytesIn + 63, 1_000, 2.8]);
    assert.deepEqual(counts(), [10, 5, 3]);
    pass(5_000);
    assert.deepEqual(counts(), [], "nothing came, nothing is recorded");
    limited();
    pass(1_000);
    assert.equal("count" in (recorded[0] ?? {}), false, "one stands for itself");
    assert.deepEqual(counts(), [1]);
    pass(60_000);
    times(60, limited);
    assert.deepEqual(counts(), Array(60).fill(1), "a new minute");
  });

  it("add no more in a minute than 60 events and one a second, whatever comes", (t) => {
    const { recorded, pass, limited } = set(t);
    let sent = 0;
    times(600, () => {
      times(50, limited);
      sent += 50;
      pass(100);
    });
    pass(1_000);
    assert.ok(recorded.length <= 121, `${recorded.length} events`);
    assert.equal(
      recorded.reduce((sum, { count = 1 }) => sum + count, 0),
      sent,
    );
  });

  it("of two hours are two events, for sums are kept by the hour", (t) => {
    const { pass, limited, counts, refusals } = set(t);
    times(60, limited);
    counts();
    times(4, () => limited({ at: NOON + HOUR_MS - 1 }));
    times(2, () => limited({ at: NOON + HOUR_MS }));
    assert.deepEqual(counts(), [4]);
    pass(1_000);
    assert.deepEqual(counts(), [2]);
    limited();
    refusals.flush();
    assert.deepEqual(counts(), [1], "at the end nothing is held back");
    refusals.prune(60_000);
    limited();
    assert.deepEqual(counts(), [1], "forgotten");
  });
});
