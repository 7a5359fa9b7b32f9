import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HeartbeatTime } from "../src/store/mongodb/heartbeat-time.ts";
import { FixedClock } from "../src/testing/index.ts";

/** A server whose clock is so far from this machine's monotonic one, and a way to it. */
const heard = (): { time: HeartbeatTime; clock: FixedClock; beat: (server: number, wayMs: number) => void } => {
  const clock = new FixedClock(0, 1_000);
  const time = new HeartbeatTime(clock);
  return {
    time,
    clock,
    beat: (server, wayMs) => {
      clock.advance(wayMs);
      time.hear(server);
    },
  };
};

describe("the servers' time", () => {
  it("is that of the fastest heartbeat, and goes on without", () => {
    const { time, clock, beat } = heard();
    assert.throws(() => time.now());
    beat(50_000, 10);
    assert.equal(time.now(), 50_000);
    clock.advance(990);
    // On the way for 2 ms only: the first one came late.
    beat(51_000, 2);
    assert.equal(time.now(), 51_000);
    clock.advance(998);
    beat(52_000, 300);
    const late = time.now();
    assert.ok(late <= 52_300 && late > 52_297, `${late}`);
    clock.advance(60_000);
    assert.equal(time.now(), late + 60_000);
  });

  it("follows a clock that is set forward at once, and waits for one that is set back without standing still", () => {
    const { time, clock, beat } = heard();
    beat(50_000, 0);
    clock.advance(1_000);
    beat(90_000, 0);
    assert.equal(time.now(), 90_000);
    let before = time.now();
    // Four seconds back.
    for (let second = 1; second <= 10_000; second += 1) {
      clock.advance(1_000);
      beat(86_000 + second * 1_000, 0);
      const now = time.now();
      assert.ok(now - before >= 999, `${second}: ${now - before}`);
      before = now;
    }
    assert.equal(before, 86_000 + 10_000_000);
  });

  it("is never behind what it said, nor what it was told of", () => {
    const { time, clock, beat } = heard();
    beat(50_000, 0);
    clock.advance(1_000);
    assert.equal(time.now(), 51_000);
    beat(40_000, 0);
    assert.equal(time.now(), 51_000);
    time.reach(60_000);
    assert.equal(time.now(), 60_000);
    time.reach(10_000);
    assert.equal(time.now(), 60_000);
  });
});
