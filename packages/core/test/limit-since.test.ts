import assert from "node:assert/strict";
import { test } from "node:test";
import type { Change } from "../src/changes/change.ts";
import type { Client } from "../src/clients/client.ts";
import { limitSince } from "../src/insight/limit-since.ts";
import type { Plan } from "../src/plans/plan.ts";
import { aClient } from "../src/testing/index.ts";

const ADDED = 1_000_000;
const JOHN = aClient({ name: "john", createdAt: ADDED, limit: 120 });

/** Newest first, as the log gives them. */
const history = (
  ...steps: readonly (readonly [secondsLater: number, after: Client | null | "purged"])[]
): readonly Change[] =>
  steps
    .map(
      ([seconds, after], index) =>
        ({
          rev: index + 1,
          at: ADDED + seconds * 1_000,
          actor: "test",
          effects: [
            {
              action: after === null ? "client.remove" : index === 0 ? "client.add" : "client.set",
              subject: "john",
              after: after === "purged" ? { purged: true } : after,
            },
          ],
        }) as Change,
    )
    .toReversed();

test("a limit that is the plan's is as old as what the plan says of it", () => {
  const { limit: _own, ...onPlan } = { ...JOHN, plan: "basic" };
  const plan = (limit: number): Plan => ({ name: "basic", limit, createdAt: ADDED });
  const change = (rev: number, seconds: number, effects: Change["effects"]): Change => ({
    rev,
    at: ADDED + seconds * 1_000,
    actor: "test",
    effects,
  });
  const added = change(2, 0, [{ action: "client.add", subject: "john", after: onPlan }]);
  const planned = change(1, -9, [{ action: "plan.add", subject: "basic", after: plan(5) }]);
  const raised = change(3, 9, [{ action: "plan.set", subject: "basic", after: plan(50) }]);
  const same = change(4, 20, [{ action: "plan.set", subject: "basic", after: { ...plan(50), weight: 2 } }]);
  assert.equal(limitSince([same, raised, added, planned], onPlan, plan(50)), ADDED + 10_000);
  // What came before is not known.
  assert.equal(limitSince([same, raised, added], onPlan, plan(50)), ADDED);
  assert.equal(limitSince([added], onPlan, plan(50)), ADDED);
  // Its own limit is none of the plan's.
  const own = change(2, 0, [{ action: "client.add", subject: "john", after: { ...JOHN, plan: "basic" } }]);
  assert.equal(limitSince([same, raised, own, planned], { ...JOHN, plan: "basic" }, plan(50)), ADDED);
  // Put on a plan that says the same, and on one that says something else.
  const alone = change(2, 0, [{ action: "client.add", subject: "john", after: { ...JOHN, limit: 5 } }]);
  const put = change(3, 9, [{ action: "client.set", subject: "john", after: onPlan }]);
  assert.equal(limitSince([put, alone, planned], onPlan, plan(5)), ADDED);
  const other = change(1, -9, [{ action: "plan.add", subject: "basic", after: plan(6) }]);
  assert.equal(limitSince([put, alone, other], onPlan, plan(6)), ADDED + 10_000);
});

test("since when a limit is what it is: by the changes that made it another, and no others", () => {
  const sixty = { ...JOHN, limit: 60 };
  const { limit: _default, ...unset } = JOHN;
  assert.equal(limitSince(history([0, JOHN]), JOHN), ADDED);
  assert.equal(limitSince(history([0, JOHN], [9, { ...JOHN, note: "x" }]), JOHN), ADDED);
  // In force everywhere a second later.
  assert.equal(limitSince(history([0, sixty], [9, JOHN], [20, { ...JOHN, note: "x" }]), JOHN), ADDED + 10_000);
  assert.equal(limitSince(history([0, JOHN], [5, sixty], [9, JOHN]), JOHN), ADDED + 10_000);
  // What nobody set is the default.
  assert.equal(limitSince(history([0, unset], [9, sixty]), sixty), ADDED);
  assert.equal(limitSince(history([0, unset], [9, JOHN]), JOHN), ADDED + 10_000);
  // Somebody else of this name, and what is left of him.
  const other = aClient({ name: "john", limit: 5 });
  assert.equal(limitSince(history([-90, other], [-60, null], [0, JOHN]), JOHN), ADDED);
  assert.equal(limitSince(history([-90, "purged"], [-60, null], [0, JOHN]), JOHN), ADDED);
  assert.equal(limitSince([], JOHN), ADDED);
});
