import assert from "node:assert/strict";
import { it } from "node:test";
import { cancelJob } from "@aigw/core/jobs";
import { called, startJobScene } from "../support/job-scene.ts";
import { until } from "../support/until.ts";

it("a job that an admin cancels, waiting or running, is told of in the log, with who did it; a client's own is not", async (t) => {
  const { gateway, service, john } = await startJobScene(t);
  const ids: string[] = [];
  for (const path of ["a", "b", "waiting", "own"]) ids.push(await john.submit(`/api/whisper/${path}`));
  await called(service, 2);
  const [running = "", , waiting = "", own = ""] = ids;
  const { traffic } = gateway.store;
  for (const id of [running, waiting]) {
    const cancelled = await cancelJob(traffic, id, () => traffic.steadyNow(), "root@rack1");
    assert.equal(cancelled?.job.state, "cancelled");
  }
  assert.equal((await john.cancel(own)).status, 204);
  await until("all to be at their ends", async () => {
    const found = await Promise.all([running, waiting, own].map((id) => traffic.job(id)));
    return found.every((one) => one?.job.counted === true);
  });
  const lines = gateway.log
    .map((line) => JSON.parse(line) as { msg: string; job: string; service: string; requestId: string; by: string })
    .filter(({ msg }) => msg === "job cancelled");
  assert.deepEqual(
    new Map(lines.map((line) => [line.job, [line.service, line.by]])),
    new Map([running, waiting].map((id) => [id, ["whisper", "root@rack1"]])),
  );
  assert.equal(lines.length, 2);
  assert.equal(lines[0]?.requestId, (await traffic.job(lines[0]?.job ?? ""))?.job.requestId);
  // Clients are not told of admins.
  assert.doesNotMatch((await john.get(`/jobs/${running}`)).body, /root/);
});
