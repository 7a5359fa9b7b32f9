import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { MongoClient } from "mongodb";
import { mongodbMissing, mongodbRan } from "../../../test/support/mongodb.ts";
import { isAigwError } from "../src/errors.ts";
import { anEvent, storeContract } from "../src/testing/index.ts";
import { MongoFixtures, mongoFixture } from "./store-support/mongo-fixture.ts";

const ACT = { at: 5, actor: "test" };
const setName = (after: string) => [{ action: "config.set", subject: "sender-name", after } as const];

describe("on real servers", { skip: mongodbMissing }, () => {
  const one = new MongoFixtures("standalone");
  const set = new MongoFixtures("set");
  after(async () => {
    await Promise.all([one.dispose(), set.dispose()]);
    mongodbRan();
  });
  storeContract("MongoDB, one server,", () => one.next());
  storeContract("MongoDB, a set of three,", () => set.next());

  it("MongoDB: its check names what is missing or ahead, and upkeep makes an index anew", async () => {
    const fixture = await mongoFixture("standalone");
    const store = await fixture.open();
    const client = await MongoClient.connect(fixture.url);
    const db = client.db();
    try {
      for (const rev of [0, 1, 2, 3]) await store.control.append(rev, setName(`${rev}`), ACT);
      await store.traffic.recordUsage([anEvent()]);
      await store.traffic.foldUsage(10);
      assert.deepEqual(await store.integrityCheck(), []);
      // More than a document takes, by a little and by far.
      for (const size of [2 ** 24, 60e6])
        await assert.rejects(
          store.control.append(4, setName("x".repeat(size)), ACT),
          (error) => isAigwError(error, "invalid_value") && /in parts/.test(error.message),
        );
      await db.collection("changes").dropIndex("by_subject");
      const numbered = db.collection<{ _id: number }>("changes");
      await numbered.updateOne({ _id: 1 }, { $set: { effects: [{ after: "{" }] } });
      await numbered.deleteMany({ _id: { $in: [2, 3] } });
      await db.collection("usage").deleteMany({});
      const found = (await store.integrityCheck()).join("\n");
      for (const problem of [
        /Revision 1 of the change log cannot be read/,
        /gap: revision 2 to 3 are missing/,
        /changes lacks its index by_subject/,
        /counted up to 1000, but recorded up to 999/,
      ])
        assert.match(found, problem);
      // Another log than the one that was read is not gone on with.
      await numbered.deleteMany({ _id: 4 });
      for (const attempt of [
        () => store.control.head(),
        () => store.control.append(1, setName("x"), ACT),
        () => store.control.snapshot(),
      ])
        await assert.rejects(
          attempt,
          (error) => isAigwError(error, "store_unavailable") && /was at 4/.test(error.message),
        );
      // It stays so: a backup was put in its place.
      fixture.clock.advance(15_000);
      assert.equal(await store.control.head(), 1);
      await numbered.updateOne({ _id: 1 }, { $set: { effects: [] } });
      assert.equal((await store.control.append(1, setName("x"), ACT)).rev, 2);
      await store.upkeep();
      assert.doesNotMatch((await store.integrityCheck()).join(), /index/);
    } finally {
      await client.close();
      await store.close();
      await fixture.dispose();
    }
  });
});
