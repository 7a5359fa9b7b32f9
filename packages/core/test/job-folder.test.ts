import assert from "node:assert/strict";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isAigwError } from "../src/errors.ts";
import { JobFolder, newJobId } from "../src/jobs/index.ts";
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

test("all that is a client's goes at once, and nothing else, also while more comes", async () => {
  const folder = await JobFolder.open(join(temporaryFolder(), "jobs"), "s_1");
  const put = (client: string, id: string, part: "request" | "answer"): void =>
    writeFileSync(folder.fileOf({ client, id }, part), "x");
  for (const client of ["c_1", "c_2"]) {
    await folder.makeRoomFor({ client });
    for (let index = 0; index < 20; index += 1) put(client, newJobId(), index % 2 === 0 ? "request" : "answer");
  }
  const removed = folder.removeClient("c_1");
  put("c_1", newJobId(), "request");
  await removed;
  assert.deepEqual(await folder.clients(), ["c_2"]);
  await folder.removeClient("c_1");
  const left: string[] = [];
  for await (const { client } of folder.files()) left.push(client);
  assert.deepEqual(left, Array(20).fill("c_2"));
});
