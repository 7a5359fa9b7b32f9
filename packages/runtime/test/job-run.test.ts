import assert from "node:assert/strict";
import { test } from "node:test";
import { aClient, aJob } from "@aigw/core/testing";
import { Refusals, type RefusalsDeps } from "../src/gate/refusals.ts";
import { HeldJob } from "../src/jobs/held-job.ts";
import { InnerServer } from "../src/jobs/inner-server.ts";
import type { JobCall } from "../src/jobs/job-call.ts";
import { JobRecords } from "../src/jobs/job-records.ts";
import { JobRun } from "../src/jobs/job-run.ts";
import type { CallMeter } from "../src/metering/call-meter.ts";
import { openJobHome } from "./support/job-home.ts";

test("a job whose call fails on its way to the service comes to its end", { timeout: 10_000 }, async (t) => {
  const { store, sealer, folder } = await openJobHome(t);
  const records = new JobRecords(store.traffic);
  const job = aJob({ state: "running", holder: "gw-1", attempts: 1, place: folder.place });
  const known = await records.set({ version: 0 }, job);
  assert.ok(known);
  await folder.makeRoomFor(job);
  const facts = { target: "/api/whisper/x", fields: ["Host", "gw"], clientAddress: "127.0.0.1", scheme: "http" };
  const request = await folder.create(sealer, job, "request", facts);
  await request.write(Buffer.from("x"));
  await request.end();
  const errors: unknown[] = [];
  const refusals = new Refusals({ onError: (error: unknown) => errors.push(error) } as unknown as RefusalsDeps);
  const run = new JobRun(new HeldJob(records, known), {
    inner: new InnerServer(),
    folder: () => folder,
    sealer,
    // As when what forwards it throws: the gate has let it go, and answers in its place.
    gate: {
      run: (call: JobCall) => {
        call.responseFields = [];
        refusals.fail(call, new Error("broken"));
      },
    },
    meter: { begin: () => undefined } as unknown as CallMeter,
    owner: () => aClient({ name: "john" }),
    progress: async () => undefined,
    onFault: (error) => assert.fail(String(error)),
  });
  const made = await run.make();
  assert.deepEqual([made.facts?.status, made.isWhole, made.why], [500, true, undefined]);
  assert.equal(made.call?.result, undefined);
  assert.equal(String(errors[0]), "Error: broken");
});
