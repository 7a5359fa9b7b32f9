import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { METER_PROBLEMS, meterProblemInWords } from "@aigw/core/meters";

const DOCUMENT = resolve(import.meta.dirname, "../../docs/metering.md");

test("docs/metering.md has every reason as the code has it", () => {
  const rows = [...readFileSync(DOCUMENT, "utf8").matchAll(/^\| `([a-z_]+)` \| ([^|]*) \|$/gm)];
  assert.deepEqual(
    rows.map(([, reason, words]) => [reason, words]),
    METER_PROBLEMS.map((problem) => [problem, meterProblemInWords(problem)]),
  );
});
