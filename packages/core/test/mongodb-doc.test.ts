import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { INDEXES } from "../src/store/mongodb/indexes.ts";

test("docs/mongodb.md has every collection and every index, and no other", () => {
  const text = readFileSync(join(import.meta.dirname, "../../../docs/mongodb.md"), "utf8");
  const rows = [...text.matchAll(/^\| (`[a-z_`, ]+`) \| [^|]+ \|([^|]*)\|$/gm)];
  const names = (cell = ""): string[] => [...cell.matchAll(/`([a-z_]+)`/g)].map(([, name = ""]) => name);
  const collections = rows.flatMap(([, cell]) => names(cell)).toSorted();
  assert.deepEqual(collections, INDEXES.map(({ collection }) => collection).toSorted());
  const indexes = rows.flatMap(([, , cell]) => names(cell)).filter((name) => !collections.includes(name));
  assert.deepEqual(indexes.toSorted(), INDEXES.flatMap((each) => each.indexes.map(({ name }) => name)).toSorted());
});
