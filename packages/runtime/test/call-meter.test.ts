import assert from "node:assert/strict";
import { test } from "node:test";
import type { UsageEvent } from "@aigw/core";
import { FixedClock } from "@aigw/core/testing";
import { CallMeter } from "../src/metering/call-meter.ts";
import { CallStats } from "../src/metering/call-stats.ts";

test("a call takes as long as it took, also when what it was worth is known later", () => {
  const clock = new FixedClock();
  const events: UsageEvent[] = [];
  const meter = new CallMeter({
    clock,
    recorder: { record: (event) => void events.push(event) },
    stats: new CallStats(() => true),
    instanceId: "i",
    isService: () => true,
    costs: { of: () => undefined, countsTime: () => false },
    onRequest: () => undefined,
    onEvent: () => undefined,
    onFault: () => undefined,
  });
  const call = { at: 0, start: 0, method: "POST", path: "/api/ocr", service: "ocr", requestId: "r" };
  meter.begin(call);
  clock.advance(500);
  const ended = { outcome: "ok", status: 200, bytesIn: 1, bytesOut: 2 } as const;
  meter.end(call, "john", {
    ...ended,
    reading: { units: { pages: 3_000_000 }, metered: "yes", from: "answer", model: "m" },
    lateMs: 400,
  });
  meter.end(call, "john", { ...ended, reading: { units: {}, metered: "no", problem: "cut" } });
  const [first, second] = events as [UsageEvent, UsageEvent];
  assert.equal(first.latencyMs, 100);
  assert.deepEqual([first.units, first.metered, first.from, first.model], [{ pages: 3_000_000 }, "yes", "answer", "m"]);
  assert.equal("unread" in first, false);
  assert.equal(second.latencyMs, 500);
  assert.deepEqual([second.units, second.metered, second.unread], [{}, "no", "cut"]);
  assert.equal("from" in second || "model" in second, false);
});
