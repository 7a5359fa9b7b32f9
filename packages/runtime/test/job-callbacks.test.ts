import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { Job } from "@aigw/core/jobs";
import { aClient, aJob } from "@aigw/core/testing";
import { JobCallbacks } from "../src/jobs/job-callbacks.ts";
import { JobRecords } from "../src/jobs/job-records.ts";
import { openJobHome } from "./support/job-home.ts";

const HOUR_MS = 3_600_000;

test("a call-back that nobody takes is tried at growing intervals, five minutes at most, for an hour, and then no more", async (t) => {
  const { store, sealer } = await openJobHome(t);
  let asked = 0;
  const receiver = createServer((request, response) => {
    asked += 1;
    request.resume().on("end", () => response.writeHead(500).end());
  });
  await new Promise<void>((ready) => receiver.listen(0, "127.0.0.1", ready));
  const origin = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  let now = 1_000_000;
  const traffic = Object.create(store.traffic, {
    job: { value: (id: string) => store.traffic.job(id) },
    setJob: { value: (version: number, job: Job) => store.traffic.setJob(version, job) },
    steadyNow: { value: () => now },
  }) as typeof store.traffic;
  const records = new JobRecords(traffic);
  let told = (): void => undefined;
  const callbacks = new JobCallbacks({
    records,
    sealer,
    storeId: store.control.storeId,
    owner: () => aClient({ name: "john" }),
    origins: () => [origin],
    publicUrl: () => "https://gw.example.com",
    onRoom: () => undefined,
    onTold: () => told(),
    onFault: (error) => assert.fail(String(error)),
  });
  t.after(async () => {
    await callbacks.close();
    receiver.closeAllConnections();
    receiver.close();
  });
  const job = aJob({
    state: "done",
    endedAt: now,
    keepMs: 24 * HOUR_MS,
    counted: true,
    callback: {
      sealedUrl: sealer.seal("job-callback", Buffer.from(`${origin}/hook`)),
      origin,
      epoch: 1,
      tries: 0,
      dueAt: now,
    },
  });
  await traffic.setJob(0, job);
  const waits: number[] = [];
  for (;;) {
    const known = await records.get(job.id);
    assert.ok(known);
    const { dueAt, tries } = known.job.callback ?? {};
    assert.equal(tries, asked);
    assert.ok(asked < 50, "it comes to an end");
    if (dueAt === undefined) break;
    if (asked > 0) waits.push((dueAt - now) / 1_000);
    now = dueAt;
    const tried = new Promise<void>((done) => {
      told = done;
    });
    callbacks.tell(known);
    await tried;
  }
  const grown = [1, 2, 4, 8, 16, 32, 64, 128, 256];
  // 511 s have gone by then: ten more fit into what is left of the hour.
  assert.deepEqual(waits, [...grown, ...Array(10).fill(300)]);
  assert.equal(asked, 20);
  const last = await records.get(job.id);
  assert.equal(last?.job.callback?.problem, "500");
  // It is looked at again when its answer is due to go, and not before.
  assert.equal(last?.job.wakeAt, 1_000_000 + 24 * HOUR_MS);
});
