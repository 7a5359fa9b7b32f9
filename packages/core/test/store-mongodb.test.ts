import { after, describe } from "node:test";
import { mongodbMissing, mongodbRan } from "../../../test/support/mongodb.ts";
import { openMongoControl } from "../src/store/mongodb/open-mongo-control.ts";
import type { Store } from "../src/store/store.ts";
import { controlContract } from "../src/testing/control-contract.ts";
import { FixedClock } from "../src/testing/index.ts";
import type { WithStore } from "../src/testing/store-contract.ts";
import { mongoFixture } from "./store-support/mongo-fixture.ts";

const withControl =
  (kind: "standalone" | "set"): WithStore =>
  (body) =>
  async () => {
    const fixture = await mongoFixture(kind);
    const connections = [await fixture.connect(), await fixture.connect()];
    try {
      const [one, two] = await Promise.all(
        connections.map(async ({ db }) => ({ control: await openMongoControl(db) }) as unknown as Store),
      );
      if (one !== undefined && two !== undefined) await body({ one, two, clock: new FixedClock() });
    } finally {
      for (const connection of connections) await connection.close();
      await fixture.drop();
    }
  };

for (const [kind, name] of [
  ["standalone", "MongoDB, one server"],
  ["set", "MongoDB, a set of three"],
] as const) {
  describe(name, { skip: mongodbMissing }, () => {
    after(mongodbRan);
    controlContract(withControl(kind));
  });
}
