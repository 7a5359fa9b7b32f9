import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { mongodbMissing, mongodbRan } from "../../../test/support/mongodb.ts";
import { awaitGateways } from "../src/acts/await-gateways.ts";
import { systemClock } from "../src/clock.ts";
import type { Store } from "../src/store/store.ts";
import { anInstance } from "../src/testing/index.ts";
import { type MongoTrafficFixture, mongoTrafficFixture } from "./store-support/mongo-traffic-fixture.ts";

/** Longer than a gateway serves without a store. */
const OUTAGE_MS = 70_000;

/** All that a receipt is read from. */
const depsOf = (traffic: Store["traffic"]) => ({ store: { traffic } as Store, clock: systemClock });

describe("a receipt on MongoDB", { skip: mongodbMissing }, () => {
  let fixture: MongoTrafficFixture;
  before(async () => {
    fixture = await mongoTrafficFixture("standalone");
  });
  after(async () => {
    await fixture?.dispose();
    mongodbRan();
  });

  it("after an outage waits for those who could not report meanwhile, and names them", async () => {
    const traffic = await fixture.open();
    const deps = depsOf(traffic);
    await traffic.reportInstance(anInstance({ id: "was-away" }));
    fixture.clock.advance(OUTAGE_MS);
    const receipt = awaitGateways(deps, 7);
    await delay(300);
    await traffic.reportInstance(anInstance({ id: "was-away", appliedRev: 7 }));
    const { gateways, complete } = await receipt;
    assert.deepEqual([gateways.map(({ id }) => id), complete], [["was-away"], true]);
  });

  it("says that nobody runs when nobody reports any more", async () => {
    const traffic = await fixture.open();
    const deps = depsOf(traffic);
    fixture.clock.advance(OUTAGE_MS);
    const startedAt = performance.now();
    assert.deepEqual((await awaitGateways(deps, 8)).gateways, []);
    assert.ok(performance.now() - startedAt < 5_000);
  });
});
