import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { initHome, openHome, systemClock } from "@aigw/core";
import { aJob } from "@aigw/core/testing";
import type { ControlFollower } from "../src/follow/control-follower.ts";
import { JobBounds } from "../src/jobs/job-bounds.ts";

test("what comes bit by bit counts once against what is kept in all", async (t) => {
  const parent = mkdtempSync(join(tmpdir(), "aigw-bounds-"));
  const home = join(parent, "home");
  await initHome({ home, at: Date.now(), actor: "test" });
  const { store } = await openHome({ home, clock: systemClock });
  t.after(async () => {
    await store.close();
    rmSync(parent, { recursive: true, force: true });
  });
  const follower = { settings: new Map() } as unknown as ControlFollower;
  const env = { AIGW_JOBS_SIZE: "1g", AIGW_JOBS_CLIENT_SIZE: "100g" };
  const bounds = new JobBounds({ traffic: store.traffic, follower, env });
  const look = 16 * 2 ** 20;
  let job = aJob({ state: "receiving", storedBytes: 0 });
  await store.traffic.setJob(0, job);
  const found: (string | undefined)[] = [await bounds.exceeded(job, { jobs: 1, bytes: 0 })];
  for (let version = 1; version <= 65; version += 1) {
    job = { ...job, storedBytes: version * look };
    await store.traffic.setJob(version, job);
    found.push(await bounds.exceeded(job, { jobs: 0, bytes: look }));
  }
  assert.equal(found.indexOf("size"), 65);
});
