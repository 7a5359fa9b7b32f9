import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { WorkerWatch } from "../src/workers/worker-watch.ts";

const worker = (gatewayId: string | undefined, says: () => boolean) => ({ gatewayId, takeLifeSign: says });

describe("who says nothing for seven seconds", () => {
  it("hangs; who said something meanwhile does not, nor who does not listen yet", (t) => {
    t.mock.timers.enable({ apis: ["setInterval"] });
    let turn = 0;
    const workers = [
      worker("gw-silent", () => false),
      worker("gw-slow", () => turn % 6 === 0),
      worker(undefined, () => false),
    ];
    const hung: [string | undefined, number, number][] = [];
    const watch = new WorkerWatch(
      () => workers,
      ({ gatewayId }, silentMs) => hung.push([gatewayId, silentMs, turn]),
    );
    watch.start();
    for (turn = 1; turn <= 13; turn += 1) t.mock.timers.tick(1_000);
    assert.deepEqual(hung, [["gw-silent", 7_000, 7]]);
    watch.stop();
    t.mock.timers.tick(60_000);
    assert.equal(hung.length, 1);
  });

  it("is not who was stopped together with the one that looks", (t) => {
    t.mock.timers.enable({ apis: ["setInterval", "Date"] });
    const hung: unknown[] = [];
    let says = true;
    const watch = new WorkerWatch(
      () => [worker("gw-1", () => says)],
      (one) => hung.push(one),
    );
    watch.start();
    t.mock.timers.tick(1_000);
    says = false;
    // An hour of the wall clock in which nothing ran: one look, and not one for each second of it.
    t.mock.timers.setTime(3_600_000);
    says = true;
    t.mock.timers.tick(10_000);
    watch.stop();
    assert.deepEqual(hung, []);
  });
});
