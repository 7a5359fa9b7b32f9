import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { aClient, aJob } from "@aigw/core/testing";
import { JobKeeper } from "../src/jobs/job-keeper.ts";
import { JobRecords } from "../src/jobs/job-records.ts";
import { openJobHome } from "./support/job-home.ts";

test("jobs of a client that this gateway has not heard of yet are not taken for those of one that is gone", async (t) => {
  const { store, folder } = await openJobHome(t);
  const known = new Map<string, ReturnType<typeof aClient>>();
  const ann = aClient({ name: "ann" });
  let answers = true;
  const recorded: string[] = [];
  const keeper = new JobKeeper({
    records: new JobRecords(store.traffic),
    folder: () => folder,
    instanceId: "gw-1",
    owner: ({ client }) => known.get(client),
    isActive: (client) => known.has(client),
    // The store has had her all the time.
    refresh: async () => {
      if (answers) known.set(ann.id, ann);
      return answers;
    },
    mayRepeat: () => false,
    isRunningHere: () => false,
    count: (job, outcome) => recorded.push(`${job.clientName} ${outcome}`),
    onCancelled: () => undefined,
    tell: () => undefined,
  });
  const put = async (client: string, clientName: string): Promise<string> => {
    const job = aJob({ client, clientName, place: folder.place });
    void store.traffic.setJob(0, job);
    await folder.makeRoomFor(job);
    const path = folder.fileOf(job, "request");
    writeFileSync(path, "x", { mode: 0o600 });
    return path;
  };
  const hers = await put(ann.id, "ann");
  const gone = await put("c_gone", "john");
  answers = false;
  await assert.rejects(keeper.purge());
  assert.deepEqual([existsSync(hers), existsSync(gone)], [true, true]);
  answers = true;
  await keeper.purge();
  assert.deepEqual([existsSync(hers), existsSync(gone)], [true, false]);
  const left = await store.traffic.jobs({}, { limit: 9 });
  assert.deepEqual(
    left.map(({ job }) => job.clientName),
    ["ann"],
  );
  assert.deepEqual(recorded, ["john revoked"]);
});
