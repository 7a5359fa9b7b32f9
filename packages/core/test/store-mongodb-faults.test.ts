import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { MongoClient } from "mongodb";
import { type Mongod, mongodUri, type ReplicaSet, startMongod, startReplicaSet } from "../../../test/support/mongod.ts";
import { MONGOD, mongodbMissing, mongodbRan } from "../../../test/support/mongodb.ts";
import { until, within } from "../../../test/support/until.ts";
import { isAigwError, isStoreFault } from "../src/errors.ts";
import { connectMongo } from "../src/store/mongodb/connection.ts";
import { createMongoStore } from "../src/store/mongodb/create-mongo-store.ts";
import { parseMongoUrl } from "../src/store/mongodb/location.ts";
import type { MongoStore } from "../src/store/mongodb/mongo-store.ts";
import { openStore } from "../src/store/open-store.ts";
import { aClient, FixedClock } from "../src/testing/index.ts";
import { type MongoFixture, mongoFixture } from "./store-support/mongo-fixture.ts";
import { SEED } from "./store-support/sqlite-fixture.ts";

const ACT = { at: 5, actor: "test" };
const skip = MONGOD === "" ? mongodbMissing || "AIGW_TEST_MONGOD is not set" : false;

const setName = (after: string) => [{ action: "config.set", subject: "sender-name", after } as const];
const addClient = (name: string) => [{ action: "client.add", subject: name, after: aClient({ name }) } as const];

let one: Mongod;
let set: ReplicaSet;
let count = 0;
const newUrl = (kind: "one" | "set"): string => {
  count += 1;
  return kind === "one" ? mongodUri(one.port, `d${count}`) : set.uri(`d${count}`);
};

before(async () => {
  if (skip === false) [one, set] = await Promise.all([startMongod(MONGOD), startReplicaSet(MONGOD)]);
});
after(async () => {
  await Promise.all([one?.stop(), set?.stop()]);
  mongodbRan();
});

/** On the server that takes the writes. Connections of tests are not hit. */
const failing = async (url: string, mode: object, data: object): Promise<void> => {
  const client = await MongoClient.connect(url, { appName: "test" });
  try {
    await client.db("admin").command({ configureFailPoint: "failCommand", mode, data: { ...data, appName: "aigw" } });
  } finally {
    await client.close();
  }
};
const noMore = (url: string): Promise<void> => failing(url, "off" as unknown as object, {});

/** Past the store's code. */
const rawChanges = async (url: string): Promise<readonly Record<string, unknown>[]> => {
  const client = await MongoClient.connect(url);
  try {
    return await client
      .db()
      .collection("changes")
      .find({}, { sort: { _id: 1 } })
      .toArray();
  } finally {
    await client.close();
  }
};

const withStore = async (
  url: string,
  body: (store: MongoStore, fixture: MongoFixture) => Promise<void>,
): Promise<void> => {
  const fixture = await mongoFixture({ url });
  try {
    const store = await fixture.open();
    try {
      await body(store, fixture);
    } finally {
      await store.close();
    }
  } finally {
    await fixture.dispose();
  }
};

/** Reads, decides and appends until nobody else was faster and the servers are back. @returns the revision */
const appendPatiently = async (store: MongoStore, name: string): Promise<number> => {
  for (;;) {
    try {
      return (await store.control.append(await store.control.head(), addClient(name), ACT)).rev;
    } catch (error) {
      if (!isAigwError(error, "changed_meanwhile") && !isStoreFault(error)) throw error;
      // What may have been written counts as written, if it was: the name is not used again.
      if (isAigwError(error, "store_unavailable") && error.details["uncertain"] === true) return 0;
    }
  }
};

const lostAnswers = (kind: "one" | "set"): void => {
  const faults: readonly (readonly [what: string, data: object])[] = [
    ["connections that close", { closeConnection: true }],
    ["a server that is shutting down (91)", { errorCode: 91 }],
    ["a server that is no primary any more (10107)", { errorCode: 10_107 }],
    ["a state that changes (11602)", { errorCode: 11_602 }],
    ["a write that was done, and an error all the same", { writeConcernError: { code: 91, errmsg: "test" } }],
    ["a majority that does not confirm", { writeConcernError: { code: 64, errmsg: "test" } }],
  ];
  for (const [what, data] of faults) {
    it(`is made once, over ${what}`, () =>
      withStore(newUrl(kind), async (store, { url }) => {
        await failing(url, { times: 3 }, { failCommands: ["insert"], ...data });
        const change = await store.control.append(0, setName("a"), ACT);
        assert.equal(change.rev, 1);
        assert.equal((await store.control.append(1, setName("b"), ACT)).rev, 2);
        assert.deepEqual(
          (await store.control.changesAfter(0, 9)).map(({ effects }) => effects[0]?.after),
          ["a", "b"],
        );
      }));
  }
};

describe("MongoDB in trouble", { skip, concurrency: true }, () => {
  // One after the other on each of them: fail points are a server's.
  describe("on one server", { skip, concurrency: 1 }, () => {
    describe("a change whose answer is lost", () => {
      lostAnswers("one");

      it("is said to be uncertain when the server does not come back", () =>
        withStore(newUrl("one"), async (store, { url }) => {
          const failCommands = ["insert"];
          await failing(url, "alwaysOn" as unknown as object, {
            failCommands,
            writeConcernError: { code: 64, errmsg: "test" },
          });
          const started = performance.now();
          const failed = store.control.append(0, setName("a"), ACT);
          // It is there, and a majority has it: found out without another insert.
          assert.equal((await failed).rev, 1);
          await noMore(url);
          await failing(url, "alwaysOn" as unknown as object, { failCommands, closeConnection: true });
          await assert.rejects(
            store.control.append(1, setName("b"), ACT),
            (error) =>
              isAigwError(error, "store_unavailable") &&
              error.details["uncertain"] === true &&
              /not known whether/.test(error.message),
          );
          assert.ok(performance.now() - started < 8_000);
          await noMore(url);
          // What was on its way may have come to pass.
          const log = await store.control.changesAfter(1, 9);
          if (log.length > 0) assert.deepEqual(log, [{ rev: 2, ...ACT, effects: setName("b") }]);
        }));
    });
  });

  describe("on a set of three", { skip, concurrency: 1 }, () => {
    describe("a change whose answer is lost", () => {
      lostAnswers("set");

      it("belongs to one of two that append at once", () =>
        withStore(newUrl("set"), async (store, fixture) => {
          const other = await fixture.open();
          const failCommands = ["insert"];
          await failing(fixture.url, { times: 12 }, { failCommands, writeConcernError: { code: 91, errmsg: "test" } });
          const names = Array.from({ length: 6 }, (_, index) => `c${index}`);
          const revs = await Promise.all(
            names.map((name, index) => appendPatiently(index % 2 === 0 ? store : other, name)),
          );
          await noMore(fixture.url);
          assert.deepEqual(revs.toSorted(), [1, 2, 3, 4, 5, 6]);
          const log = await store.control.changesAfter(0, 99);
          assert.deepEqual(
            log.map(({ effects }) => effects[0]?.subject),
            [1, 2, 3, 4, 5, 6].map((rev) => names[revs.indexOf(rev)]),
          );
          await other.close();
        }));
    });

    describe("what was cut off", () => {
      it("in purging a removed client is finished by whoever opens the store next", () =>
        withStore(newUrl("set"), async (store, fixture) => {
          const john = aClient({ name: "john", email: "canary@example.com" });
          await store.control.append(0, [{ action: "client.add", subject: "john", after: john }], ACT);
          await failing(fixture.url, { times: 1 }, { failCommands: ["update"], errorCode: 8_000 });
          const remove = [{ action: "client.remove", subject: "john", after: null }] as const;
          assert.equal((await store.control.append(1, remove, ACT)).rev, 2);
          assert.equal(await store.control.client("john"), undefined);
          assert.match(JSON.stringify(await rawChanges(fixture.url)), /canary/);
          assert.match((await store.integrityCheck()).join(), /revision 2 removed or replaced was not erased/);
          // Somebody else has the name by then.
          const again = aClient({ name: "john", email: "other@example.com" });
          await store.control.append(2, [{ action: "client.add", subject: "john", after: again }], ACT);
          await (await fixture.open()).close();
          const raw = JSON.stringify(await rawChanges(fixture.url));
          assert.doesNotMatch(raw, /canary|"due"/);
          assert.deepEqual(await store.control.client("john"), again);
          assert.deepEqual(await store.integrityCheck(), []);
        }));

      it("in creating a store leaves nothing, or a whole one; of two at once one creates it", async () => {
        const url = newUrl("set");
        const location = parseMongoUrl(url);
        const changes = [
          ...setName("first"),
          { action: "config.set", subject: "public-url", after: "https://x" } as const,
        ];
        const seedOf = (storeId: string) => ({ ...SEED, storeId, changes });
        const [a, b] = [await connectMongo(location), await connectMongo(location)];
        try {
          await failing(url, { times: 9 }, { failCommands: ["createIndexes"], errorCode: 8_000 });
          await assert.rejects(createMongoStore(a.db, seedOf("0")), isAigwError);
          await noMore(url);
          await assert.rejects(openStore(url, { clock: new FixedClock() }), (error) =>
            isAigwError(error, "store_unavailable"),
          );
          // The document that makes it a store goes through, the first changes do not.
          await failing(url, { skip: 1 }, { failCommands: ["insert"], errorCode: 8_000 });
          await assert.rejects(createMongoStore(a.db, seedOf("1")), isAigwError);
          await noMore(url);
          assert.deepEqual(await rawChanges(url), []);
          assert.deepEqual(
            await Promise.all([createMongoStore(a.db, seedOf("2")), createMongoStore(b.db, seedOf("3"))]),
            [false, false],
          );
          const store = await openStore(url, { clock: new FixedClock() });
          assert.deepEqual([store.control.storeId, await store.control.head()], ["1", 2]);
          assert.equal((await store.control.settings()).get("public-url"), "https://x");
          await store.close();

          await a.db.dropDatabase();
          const created = await Promise.all([createMongoStore(a.db, seedOf("4")), createMongoStore(b.db, seedOf("5"))]);
          assert.deepEqual(created.toSorted(), [false, true]);
          const winner = await openStore(url, { clock: new FixedClock() });
          assert.equal(winner.control.storeId, created[0] ? "4" : "5");
          assert.equal(await winner.control.head(), 2);
          await winner.close();

          await a.db.collection("meta").deleteMany({});
          await assert.rejects(createMongoStore(a.db, seedOf("6")), (error) => isAigwError(error, "store_corrupt"));
        } finally {
          await a.db.dropDatabase();
          await Promise.all([a.close(), b.close()]);
        }
      });
    });

    describe("the primary", () => {
      it("is needed: a secondary that is connected to directly says so", async () => {
        const primary = await set.primary();
        const port = set.members.find((member) => member !== primary)?.port ?? 0;
        const url = `mongodb://127.0.0.1:${port}/d?directConnection=true`;
        await assert.rejects(
          openStore(url, { clock: new FixedClock() }),
          (error) => isAigwError(error, "store_unavailable") && /is no primary/.test(error.message),
        );
      });

      it("steps down, and is killed, while four append: nothing acknowledged is lost, and there is one order", async () => {
        const fixture = await mongoFixture({ url: newUrl("set") });
        const stores = await Promise.all([0, 1, 2, 3].map(() => fixture.open()));
        const acknowledged = new Map<number, string>();
        let stopped = false;
        const writers = stores.map(async (store, writer) => {
          for (let index = 0; !stopped; index += 1) {
            const name = `w${writer}-${index}`;
            const rev = await appendPatiently(store, name);
            if (rev === 0) continue;
            assert.ok(!acknowledged.has(rev), `revision ${rev} was given twice`);
            acknowledged.set(rev, name);
          }
        });
        const goesOn = async (what: string): Promise<void> => {
          const before = acknowledged.size;
          await until(`appends ${what}`, () => acknowledged.size >= before + 20, 30_000);
        };
        try {
          await goesOn("at first");
          const primary = await set.primary();
          const client = await MongoClient.connect(`mongodb://127.0.0.1:${primary.port}/?directConnection=true`);
          await client.db("admin").command({ replSetStepDown: 3, force: true });
          await client.close();
          await goesOn("after a step-down");
          const killed = await set.primary();
          await killed.kill();
          await goesOn("after a kill");
          await killed.restart();
        } finally {
          stopped = true;
          await within("the writers to end", Promise.all(writers), 30_000);
        }
        const log = await stores[0]?.control.changesAfter(0, 1_000_000);
        assert.deepEqual(
          log?.map(({ rev }) => rev),
          log?.map((_, index) => index + 1),
        );
        const lost = [...acknowledged].filter(([rev, name]) => log?.[rev - 1]?.effects[0]?.subject !== name);
        assert.deepEqual(lost, []);
        for (const store of stores) await store.close();
        await fixture.dispose();
      });
    });
  });
});
