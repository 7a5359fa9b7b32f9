import assert from "node:assert/strict";
import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isAigwError } from "../src/errors.ts";
import { JobFolder } from "../src/jobs/index.ts";
import { temporaryFolder } from "./store-support/folders.ts";

test("a folder of jobs is one store's, of whichever gateways, and is known again", async () => {
  const path = join(temporaryFolder(), "jobs");
  const folder = await JobFolder.open(path, "s_1");
  assert.equal((await JobFolder.open(path, "s_1")).place, folder.place);
  await assert.rejects(
    JobFolder.open(path, "s_2"),
    (error) => isAigwError(error, "failed") && error.message.includes(path) && error.message.includes("another store"),
  );
  assert.ok(await folder.isThere());
  renameSync(path, `${path}.away`);
  assert.equal(await folder.isThere(), false);
  await JobFolder.open(path, "s_1");
  assert.equal(await folder.isThere(), false);
  rmSync(path, { recursive: true });
  renameSync(`${path}.away`, path);
  // One of a version that did not say whose it is.
  rmSync(join(path, "store"));
  assert.equal((await JobFolder.open(path, "s_1")).place, folder.place);
  await assert.rejects(JobFolder.open(path, "s_2"));
});
