import assert from "node:assert/strict";
import { test } from "node:test";
import { didYouMean } from "../src/did-you-mean.ts";

test("near names are guessed, nearest first, and far ones are not", () => {
  const names = ["john", "joanna", "mary", "ocr", "team-a", "team-b"];
  for (const [given, said] of [
    ["jon", " Did you mean john?"],
    ["jhon", " Did you mean john?"],
    ["JOHN", " Did you mean john?"],
    ["joana", " Did you mean joanna?"],
    ["team-c", " Did you mean team-a or team-b?"],
    ["orc", " Did you mean ocr?"],
    ["zzz", ""],
    ["", ""],
    ["x".repeat(10_000), ""],
  ] as const) {
    assert.equal(didYouMean(given, names), said, given);
  }
  assert.equal(didYouMean("john", []), "");
});
