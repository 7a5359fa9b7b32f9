import { after, before, describe } from "node:test";
import { mongodbMissing, mongodbRan } from "../../../test/support/mongodb.ts";
import type { Store } from "../src/store/store.ts";
import type { WithStore } from "../src/testing/store-contract.ts";
import { trafficContract } from "../src/testing/traffic-contract.ts";
import { type MongoTrafficFixture, mongoTrafficFixture } from "./store-support/mongo-traffic-fixture.ts";

describe("usage, permits and instances on MongoDB", { skip: mongodbMissing, concurrency: 2 }, () => {
  after(mongodbRan);
  for (const kind of ["standalone", "set"] as const) {
    describe(kind, { concurrency: 1 }, () => {
      let fixture: MongoTrafficFixture;
      before(async () => {
        fixture = await mongoTrafficFixture(kind);
      });
      after(() => fixture.dispose());
      // The contract asks no other part of the store.
      const open = async (): Promise<Store> =>
        ({ traffic: await fixture.open(), close: async () => undefined }) as unknown as Store;
      const withTraffic: WithStore = (body) => async () => {
        await fixture.empty();
        await body({ one: await open(), two: await open(), clock: fixture.clock });
      };
      trafficContract(withTraffic);
    });
  }
});
