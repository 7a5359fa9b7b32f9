import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HostileStore } from "@aigw/core/testing";
import { called, filesOf, startJobScene as scene } from "../support/job-scene.ts";
import { until } from "../support/until.ts";

describe("a store whose head comes late", () => {
  it("leaves what is due to be done, and only what needs the head waits for it", async (t) => {
    let hostile: HostileStore | undefined;
    const { service, john, gateway } = await scene(
      t,
      { keepMs: 1_000 },
      { through: (store) => (hostile = new HostileStore(store)) },
    );
    assert.ok(hostile);
    const id = await john.submit("/api/whisper/x");
    const { response } = await called(service);
    // Behind a fault it is to be looked whose right is gone.
    hostile.treat("traffic.dueJobs", { kind: "throws" });
    const looks = hostile.calls("traffic.dueJobs");
    await until("a fault", () => (hostile?.calls("traffic.dueJobs") ?? 0) > looks);
    hostile.treat("control.head", { kind: "late", ms: 400 });
    hostile.treat("traffic.dueJobs", { kind: "promise" });
    response.end("x");
    await john.becomes(id, "done");
    await until("it to be forgotten", async () => (await gateway.store.traffic.job(id)) === undefined, 3_000);
    assert.deepEqual(filesOf(gateway), []);
  });
});
