import assert from "node:assert/strict";
import { test } from "node:test";
import { TargetState } from "../src/proxy/target-state.ts";

const state = (): TargetState =>
  new TargetState(
    "ocr",
    "http://gpu1:9000",
    () => 1_000,
    () => undefined,
  );

/** A call that fails. */
const fail = (target: TargetState, now: number): void => {
  const caller = {};
  target.begun(caller);
  target.failed(caller, "reset", now);
  target.ended(caller);
};

test("after a rest one call at a time finds out whether a target works again, whatever becomes of it", () => {
  const target = state();
  for (let n = 0; n < 3; n += 1) fail(target, 0);
  assert.deepEqual([target.isDown, target.takes(999), target.takes(1_000)], [true, false, true]);
  const probe = {};
  target.begun(probe);
  assert.equal(target.takes(1_000), false, "one is under way");
  // Its client has left: nothing is known, and the next call finds out.
  target.ended(probe);
  assert.deepEqual([target.isDown, target.takes(1_000), target.openCalls], [true, true, 0]);
  const next = {};
  target.begun(next);
  target.answered();
  target.completed();
  target.ended(next);
  assert.deepEqual([target.isDown, target.takes(0)], [false, true]);
});

test("calls that were with it when it went down do not make its rest longer", () => {
  const target = state();
  const callers = Array.from({ length: 50 }, () => ({}));
  for (const caller of callers) target.begun(caller);
  for (const caller of callers) target.failed(caller, "reset", 0);
  assert.equal(target.restMs(0), 1_000);
});

test("three failures in a row: one whole answer between them, and the count begins anew", () => {
  const target = state();
  for (let n = 0; n < 5; n += 1) {
    fail(target, 0);
    fail(target, 0);
    target.completed();
  }
  assert.equal(target.isDown, false);
});

test("what the gateway or the chance is to blame for does not count", () => {
  const target = state();
  for (let n = 0; n < 9; n += 1) {
    target.failed({}, "out_of_files", 0);
    target.failed({}, "kept_connection_closed", 0);
    target.checked(false, "out_of_ports", 0);
  }
  assert.equal(target.isDown, false);
});

test("one that comes back and fails its first call rests again at once", () => {
  const target = state();
  for (let n = 0; n < 3; n += 1) fail(target, 0);
  target.answered();
  fail(target, 1_000);
  assert.deepEqual([target.isDown, target.restMs(1_000)], [true, 2_000]);
});

test("whose health is asked for: only a check brings it back, and not before its rest is over", () => {
  const target = state();
  target.watched = true;
  target.checked(false, "refused", 0);
  assert.equal(target.isDown, false, "two checks have to fail");
  target.checked(false, "refused", 0);
  assert.deepEqual([target.isDown, target.fault], [true, "refused"]);
  target.answered();
  assert.deepEqual([target.isDown, target.takes(60_000)], [true, false]);
  target.checked(true, undefined, 0);
  assert.equal(target.isDown, false);
  // Healthy, and calls fail all the same.
  fail(target, 0);
  assert.equal(target.isDown, true);
  target.checked(true, undefined, 999);
  assert.equal(target.isDown, true);
  target.checked(true, undefined, 1_000);
  assert.equal(target.isDown, false);
});
