import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Job } from "../jobs/job.ts";
import { aJob } from "./builders.ts";
import type { WithStore } from "./store-contract.ts";

export const jobContract = (withStore: WithStore): void => {
  describe("job records", () => {
    it(
      "are written and removed by compare-and-set",
      withStore(async ({ one, two }) => {
        const job = aJob({});
        assert.equal(await one.traffic.job(job.id), undefined);
        assert.equal(await one.traffic.setJob(1, job), false);
        assert.equal(await one.traffic.setJob(0, job), true);
        assert.equal(await two.traffic.setJob(0, job), false);
        assert.deepEqual(await two.traffic.job(job.id), { version: 1, job });
        const running: Job = { ...job, state: "running", holder: "gw_1", storedBytes: 25, wakeAt: 9_000 };
        assert.equal(await two.traffic.setJob(1, running), true);
        assert.equal(await one.traffic.setJob(1, job), false);
        assert.equal(await one.traffic.removeJob(1, job.id), false);
        assert.deepEqual(await one.traffic.job(job.id), { version: 2, job: running });
        assert.equal(await one.traffic.removeJob(2, job.id), true);
        assert.equal(await two.traffic.job(job.id), undefined);
        assert.equal(await two.traffic.setJob(2, running), false);
      }),
    );

    it(
      "are claimed by one of many exactly",
      withStore(async ({ one, two }) => {
        const jobs = Array.from({ length: 20 }, (_, index) => aJob({ at: index }));
        for (const job of jobs) await one.traffic.setJob(0, job);
        const won: string[] = [];
        const claim = async (store: typeof one, holder: string): Promise<void> => {
          for (const { id } of jobs) {
            const found = await store.traffic.job(id);
            if (found?.job.state !== "queued") continue;
            if (await store.traffic.setJob(found.version, { ...found.job, state: "running", holder })) won.push(id);
          }
        };
        await Promise.all([claim(one, "a"), claim(two, "b"), claim(one, "c"), claim(two, "d")]);
        assert.deepEqual(won.toSorted(), jobs.map(({ id }) => id).toSorted());
      }),
    );

    it(
      "are listed page by page, by what is asked for, from either end",
      withStore(async ({ one, two }) => {
        const made = [
          aJob({ at: 1 }),
          aJob({ at: 2, client: "c_2" }),
          aJob({ at: 3, state: "done" }),
          aJob({ at: 4, service: "ocr" }),
          aJob({ at: 5, place: "p_2" }),
        ];
        for (const job of made) await one.traffic.setJob(0, job);
        const ats = async (...query: Parameters<typeof two.traffic.jobs>): Promise<readonly number[]> =>
          (await two.traffic.jobs(...query)).map(({ job }) => job.at);
        assert.deepEqual(await ats({}, { limit: 9 }), [5, 4, 3, 2, 1]);
        assert.deepEqual(await ats({ client: "c_1" }, { limit: 2 }), [5, 4]);
        assert.deepEqual(await ats({ client: "c_1" }, { limit: 2, after: made[3] }), [3, 1]);
        assert.deepEqual(
          await ats({ state: "queued", service: "whisper" }, { limit: 9, oldestFirst: true }),
          [1, 2, 5],
        );
        assert.deepEqual(await ats({ place: "p_2" }, { limit: 9 }), [5]);
        assert.deepEqual(await ats({}, { limit: 2, oldestFirst: true, after: made[2] }), [4, 5]);
        assert.deepEqual(await ats({ state: "failed" }, { limit: 9 }), []);
      }),
    );

    it(
      "are counted, those that are older than one of them, up to as many as are asked for",
      withStore(async ({ one, two }) => {
        // Of two that came at the same moment, the id says which is older.
        const [second, first] = [aJob({ at: 2 }), aJob({ at: 2 })].toSorted((a, b) => (a.id < b.id ? 1 : -1));
        assert.ok(first && second);
        const made = [aJob({ at: 1 }), first, second, aJob({ at: 3 }), aJob({ at: 1, client: "c_2" })];
        for (const job of [...made, aJob({ at: 1, state: "done" }), aJob({ at: 1, place: "p_2" })])
          await one.traffic.setJob(0, job);
        const filter = { client: "c_1", service: "whisper", state: "queued", place: "p_1" } as const;
        const counted: number[] = [];
        for (const job of made.slice(0, 4)) counted.push(await two.traffic.countJobsBefore(filter, job, 9));
        assert.deepEqual(counted, [0, 1, 2, 3]);
        assert.equal(await two.traffic.countJobsBefore(filter, { at: 99, id: "" }, 2), 2);
        assert.equal(await two.traffic.countJobsBefore({}, { at: 99, id: "" }, 9), 7);
        assert.equal(await two.traffic.countJobsBefore({ place: "p_9" }, { at: 99, id: "" }, 9), 0);
      }),
    );

    it(
      "come up when they are due, and are summed up",
      withStore(async ({ one, two }) => {
        const late = aJob({ wakeAt: 300, storedBytes: 5 });
        for (const job of [aJob({ wakeAt: 200 }), late, aJob({ wakeAt: 100, client: "c_2", at: 7 })])
          await one.traffic.setJob(0, job);
        const due = async (now: number, limit = 9, from?: number): Promise<readonly number[]> =>
          (await two.traffic.dueJobs(now, limit, from)).map(({ job }) => job.wakeAt);
        assert.deepEqual(await due(99), []);
        assert.deepEqual(await due(200), [100, 200]);
        assert.deepEqual(await due(999, 2), [100, 200]);
        assert.deepEqual(await due(999, 9, 200), [200, 300]);
        assert.deepEqual(await due(250, 9, 201), []);
        await one.traffic.setJob(1, { ...late, state: "done", wakeAt: 50, storedBytes: 70 });
        assert.deepEqual(await due(60), [50]);
        const groups = (await two.traffic.jobGroups({})).toSorted(
          (a, b) => a.storedBytes - b.storedBytes || a.oldestAt - b.oldestAt,
        );
        assert.deepEqual(groups, [
          { client: "c_2", service: "whisper", state: "queued", count: 1, storedBytes: 10, oldestAt: 7 },
          { client: "c_1", service: "whisper", state: "queued", count: 1, storedBytes: 10, oldestAt: 1_000 },
          { client: "c_1", service: "whisper", state: "done", count: 1, storedBytes: 70, oldestAt: 1_000 },
        ]);
        assert.equal((await one.traffic.jobGroups({ state: "queued", place: "p_1" })).length, 2);
        assert.deepEqual(await one.traffic.jobGroups({ place: "p_9" }), []);
      }),
    );
  });
};
