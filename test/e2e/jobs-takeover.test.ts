import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HostileStore } from "@aigw/core/testing";
import { startTestGateway } from "../support/gateway.ts";
import { called, filesOf, startJobScene } from "../support/job-scene.ts";
import { allUsage } from "../support/prepared-home.ts";
import { until } from "../support/until.ts";

describe("a job that runs", () => {
  it("and is another gateway's by now is let go within a second: its record, its files and its count are that one's", async (t) => {
    const { gateway, service, john } = await startJobScene(t);
    const id = await john.submit("/api/whisper/x", { body: "x" });
    await called(service);
    const { traffic } = gateway.store;
    const known = await traffic.job(id);
    assert.equal(known?.job.state, "running");
    const other = await startTestGateway(t, { home: gateway.home });
    const holder = await until("the other one to be seen", async () =>
      (await traffic.instances(60_000)).map((one) => one.id).find((one) => one !== known.job.holder),
    );
    const taken = { ...known.job, holder, attempts: 2, wakeAt: traffic.steadyNow() + 60_000 };
    assert.ok(await traffic.setJob(known.version, taken));
    await until("the service to be let go", () => service.aborted.length === 1, 2_000);
    // The gateway itself is done with it: what it would still do, it does before it is closed.
    await gateway.gateway.close();
    assert.deepEqual((await other.store.traffic.job(id))?.job, taken);
    assert.deepEqual(filesOf(gateway).length, 1);
    assert.deepEqual(await allUsage(other.store), []);
  });

  it("and is answered in whole in the moment in which its gateway's time to drain is over, is done", async (t) => {
    let hostile: HostileStore | undefined;
    const { gateway, service, john } = await startJobScene(
      t,
      {},
      { drainMs: 50, through: (store) => (hostile = new HostileStore(store)) },
    );
    const id = await john.submit("/api/whisper/x");
    const { response } = await called(service);
    // All of it is on the disk, and the store has yet to be told.
    hostile?.treat("traffic.setJob", { kind: "late", ms: 500 });
    const writes = hostile?.calls("traffic.setJob") ?? 0;
    response.end("in time");
    await until("its end to be written", () => (hostile?.calls("traffic.setJob") ?? 0) > writes);
    const { traffic } = gateway.store;
    await gateway.gateway.close();
    const found = (await traffic.job(id))?.job;
    assert.deepEqual([found?.state, found?.status, found?.resultBytes], ["done", 200, 7]);
    assert.match(filesOf(gateway).join(), /^[^,]*\.answer$/);
    assert.deepEqual(
      (await allUsage(gateway.store)).map(({ outcome }) => outcome),
      ["ok"],
    );
  });
});
