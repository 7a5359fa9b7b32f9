import assert from "node:assert/strict";
import { test } from "node:test";
import { aClient, aJob } from "@aigw/core/testing";
import { JobKeeper } from "../src/jobs/job-keeper.ts";
import { JobRecords } from "../src/jobs/job-records.ts";
import { openJobHome } from "./support/job-home.ts";

test("a job that ends the gateways that run it is begun five times, and not again", async (t) => {
  const { store, folder } = await openJobHome(t);
  const recorded: string[] = [];
  const keeper = new JobKeeper({
    records: new JobRecords(store.traffic),
    folder: () => folder,
    instanceId: "gw-1",
    owner: () => aClient({ name: "john" }),
    isActive: () => true,
    refresh: async () => true,
    mayRepeat: () => true,
    isRunningHere: () => false,
    count: (_job, outcome) => recorded.push(outcome),
    onCancelled: () => undefined,
    tell: () => undefined,
  });
  const job = aJob({ state: "running", holder: "gw-dead", attempts: 1, place: folder.place, wakeAt: 0 });
  await store.traffic.setJob(0, job);
  const begun: number[] = [1];
  for (;;) {
    await keeper.look();
    const known = await store.traffic.job(job.id);
    assert.ok(known);
    if (known.job.state !== "queued") {
      assert.equal(known.job.state, "interrupted");
      break;
    }
    const attempts = known.job.attempts + 1;
    assert.ok(attempts < 50, "it comes to an end");
    begun.push(attempts);
    await store.traffic.setJob(known.version, {
      ...known.job,
      state: "running",
      holder: "gw-dead",
      attempts,
      wakeAt: 0,
    });
  }
  assert.deepEqual(begun, [1, 2, 3, 4, 5]);
  assert.deepEqual(recorded, ["incomplete"]);
});
