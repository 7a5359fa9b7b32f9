import assert from "node:assert/strict";
import { test } from "node:test";
import type { Change } from "../src/changes/change.ts";
import type { Client } from "../src/clients/client.ts";
import { limitSince } from "../src/insight/limit-since.ts";
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
