import assert from "node:assert/strict";
import { test } from "node:test";
import { RestartDelay } from "../src/workers/restart-delay.ts";

test("a worker's place is taken at once, and more slowly while it dies soon, up to five seconds", () => {
  const delay = new RestartDelay();
  assert.deepEqual(
    Array.from({ length: 9 }, () => delay.next(500)),
    [0, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000],
  );
  assert.equal(delay.next(10_000), 0, "one that lived did not die of its start");
  assert.equal(delay.next(10), 100);
});
