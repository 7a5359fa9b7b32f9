import { after, describe } from "node:test";
import { mongodbMissing, mongodbRan } from "../../../test/support/mongodb.ts";
import type { Store } from "../src/store/store.ts";
import type { WithStore } from "../src/testing/store-contract.ts";
import { trafficContract } from "../src/testing/traffic-contract.ts";
import { mongoTrafficFixture } from "./store-support/mongo-traffic-fixture.ts";

/** The contract asks the traffic part alone. */
const withTraffic =
  (kind: "standalone" | "set"): WithStore =>
  (body) =>
  async () => {
    const fixture = await mongoTrafficFixture(kind);
    const open = async (): Promise<Store> => {
      const { traffic, client } = await fixture.open();
      return { traffic, close: () => client.close() } as unknown as Store;
    };
    try {
      await body({ one: await open(), two: await open(), clock: fixture.clock });
    } finally {
      await fixture.dispose();
    }
  };

for (const kind of ["standalone", "set"] as const) {
  describe(`usage, permits and instances on MongoDB (${kind})`, { skip: mongodbMissing }, () => {
    after(mongodbRan);
    trafficContract(withTraffic(kind));
  });
}
