import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { describe, it, type TestContext } from "node:test";
import type { Store } from "@aigw/core";
import type { Job, JobFolder } from "@aigw/core/jobs";
import { aJob } from "@aigw/core/testing";
import { HeldJob } from "../src/jobs/held-job.ts";
import type { JobCall } from "../src/jobs/job-call.ts";
import { JobEnd } from "../src/jobs/job-end.ts";
import { JobKeeper } from "../src/jobs/job-keeper.ts";
import { JobRecords } from "../src/jobs/job-records.ts";
import type { JobRun, Made } from "../src/jobs/job-run.ts";
import { openJobHome } from "./support/job-home.ts";

const scene = async (t: TestContext): Promise<{ store: Store; folder: JobFolder; records: JobRecords }> => {
  const { store, folder } = await openJobHome(t);
  return { store, folder, records: new JobRecords(store.traffic) };
};

const put = async (folder: JobFolder, job: Job, part: "request" | "answer"): Promise<string> => {
  await folder.makeRoomFor(job);
  const path = folder.fileOf(job, part);
  writeFileSync(path, "x", { mode: 0o600 });
  return path;
};

describe("a gateway that stood still, and whose job another one has taken over", () => {
  const made = (facts: Partial<Made>): Made => ({
    call: undefined,
    facts: undefined,
    isWhole: false,
    why: undefined,
    ...facts,
  });
  let released = 0;
  const none = (): void => undefined;
  const refused = { isSent: false, cancelClaim: none, releaseClaim: none } as unknown as JobCall;
  const held = {
    ...refused,
    cancelClaim: () => assert.fail("its request counts"),
    releaseClaim: () => (released += 1),
  };

  it("leaves that one's answer alone, however its own run has ended", async (t) => {
    const { folder, records } = await scene(t);
    for (const [what, how] of [
      ["closing", made({ why: "closing" })],
      ["busy", made({ call: refused, facts: { status: 503, reason: "", fields: [] } })],
      ["damaged", made({ why: "damaged" })],
      ["lost", made({ call: held as unknown as JobCall, why: "lost" })],
      ["without an answer", made({ call: held as unknown as JobCall })],
    ] as const) {
      const job = aJob({ state: "running", holder: "gw-1", attempts: 1, place: folder.place });
      const known = await records.set({ version: 0 }, job);
      assert.ok(known);
      await records.set(known, { ...job, holder: "gw-2", attempts: 2 });
      const answer = await put(folder, job, "answer");
      const end = new JobEnd({
        records,
        folder: () => folder,
        owner: () => undefined,
        mayRepeat: () => true,
        isClosing: () => what === "closing",
        ended: (one) => one,
        count: () => assert.fail("it is not its own to count"),
        onBusy: () => undefined,
        onEnded: () => assert.fail("it has not ended here"),
        onFault: (error) => assert.fail(String(error)),
      });
      await end.end({ held: new HeldJob(records, known), answerBytes: 0 } as unknown as JobRun, how);
      assert.ok(existsSync(answer), what);
      assert.equal((await records.get(job.id))?.job.holder, "gw-2");
    }
    assert.equal(released, 2);
  });

  it("is not what a request is that has been taken in at the last moment: its file stays", async (t) => {
    const { store, folder } = await scene(t);
    const job = aJob({ state: "receiving", holder: "gw-2", wakeAt: 0, place: folder.place });
    const file = await put(folder, job, "request");
    await store.traffic.setJob(0, job);
    const traffic = Object.create(store.traffic, {
      steadyNow: { value: () => store.traffic.steadyNow() },
      dueJobs: {
        value: async () => {
          const known = await store.traffic.job(job.id);
          const { holder: _receiver, ...queued } = job;
          if (known?.version === 1) await store.traffic.setJob(1, { ...queued, state: "queued", wakeAt: 1e15 });
          return [{ version: 1, job }];
        },
      },
      removeJob: { value: (version: number, id: string) => store.traffic.removeJob(version, id) },
    }) as typeof store.traffic;
    const keeper = new JobKeeper({
      records: new JobRecords(traffic),
      folder: () => folder,
      instanceId: "gw-1",
      owner: () => undefined,
      isActive: () => true,
      refresh: async () => true,
      mayRepeat: () => false,
      isRunningHere: () => false,
      count: () => undefined,
      onCancelled: () => undefined,
      tell: () => undefined,
    });
    await keeper.look();
    assert.equal((await store.traffic.job(job.id))?.job.state, "queued");
    assert.ok(existsSync(file));
  });
});
