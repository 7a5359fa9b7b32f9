import assert from "node:assert/strict";
import { it } from "node:test";
import { RefusalPace } from "../src/routes/refusal-pace.ts";

it("a refusal by itself waits for nothing, a flood gets five hundred a second, in order, and holds a bounded number", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const pace = new RefusalPace();
  const answered: number[] = [];
  const pass = (from: number, count: number): void => {
    for (let n = from; n < from + count; n += 1) pace.pass(() => answered.push(n));
  };
  pass(0, 1);
  assert.deepEqual(answered, [0]);
  t.mock.timers.tick(200);
  pass(1, 100);
  assert.equal(answered.length, 1 + 1);
  t.mock.timers.tick(20);
  assert.equal(answered.length, 1 + 11);
  pass(101, 1);
  assert.equal(answered.length, 1 + 11, "whoever comes later does not go before");
  t.mock.timers.tick(180);
  assert.deepEqual(
    answered,
    Array.from({ length: 102 }, (_, n) => n),
  );
  t.mock.timers.tick(200);
  const before = answered.length;
  pass(1_000, 5_000);
  assert.equal(answered.length - before, 5_000 - 1_024, "the others are answered at once, the oldest first");
  t.mock.timers.tick(2_200);
  assert.equal(answered.length - before, 5_000);
  assert.deepEqual(
    answered.slice(before),
    answered.slice(before).toSorted((a, b) => a - b),
  );
});
