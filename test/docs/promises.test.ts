import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { ROWS } from "../promises/rows.ts";

const ROOT = resolve(import.meta.dirname, "../..");

test("test/promises/README.md names every row, and tests that are there", () => {
  const text = readFileSync(join(ROOT, "test/promises/README.md"), "utf8");
  const cells = text
    .split("\n")
    .filter((line) => line.startsWith("| ") && line.includes("`"))
    .map((line) => line.split("|"));
  const quoted = (cell = ""): string[] => [...cell.matchAll(/`([^`]+)`/g)].flatMap(([, name]) => name ?? []);
  const rows = cells.flatMap(([, , named]) => quoted(named));
  assert.deepEqual(rows.toSorted(), ROWS.map(({ name }) => name).toSorted());
  const tests = cells.flatMap(([, , , named]) => quoted(named));
  assert.ok(tests.length > 30);
  for (const name of tests) {
    assert.ok(existsSync(join(ROOT, name.includes("/") ? name : join("test/e2e", name))), name);
  }
});
