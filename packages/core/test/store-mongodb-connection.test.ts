import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { MongoClient } from "mongodb";
import { selfSigned } from "../../../test/support/certificate.ts";
import { type Mongod, startMongod } from "../../../test/support/mongod.ts";
import { MONGOD, mongodbMissing, mongodbRan } from "../../../test/support/mongodb.ts";
import { until, within } from "../../../test/support/until.ts";
import { systemClock } from "../src/clock.ts";
import { type AigwError, isAigwError } from "../src/errors.ts";
import type { OpenedStore } from "../src/store/engine.ts";
import { SCHEMA_VERSION } from "../src/store/mongodb/control-schema.ts";
import { createStore, openControl, openStore, peekNames } from "../src/store/open-store.ts";
import { aClient } from "../src/testing/index.ts";
import { runChild, startChild } from "./store-support/children.ts";
import { temporaryFolder } from "./store-support/folders.ts";
import { SEED, sqliteFixture } from "./store-support/sqlite-fixture.ts";

const ACT = { at: 5, actor: "test" };
const PASSWORD = "Geheim:%/@1";
const skip = MONGOD === "" ? mongodbMissing || "AIGW_TEST_MONGOD is not set" : false;
/** So long a command may take, plus what a busy machine adds. */
const BOUND_MS = 7_000;

/** Asks for users' passwords, and takes TLS. */
let guarded: Mongod;
/** To be frozen. */
let frozen: Mongod;
let blackHole: Server;
let certificate: string;

const urlOf = (user: string, password: string = PASSWORD, options = ""): string =>
  `mongodb://${user}:${encodeURIComponent(password)}@127.0.0.1:${guarded.port}/store?authSource=admin${options}`;

before(async () => {
  if (skip !== false) return;
  const folder = temporaryFolder();
  const { cert, key } = selfSigned("127.0.0.1");
  certificate = join(folder, "cert.pem");
  writeFileSync(certificate, cert);
  writeFileSync(join(folder, "both.pem"), cert + key);
  const tls = ["--tlsMode", "preferTLS", "--tlsCertificateKeyFile", join(folder, "both.pem")];
  [guarded, frozen] = await Promise.all([startMongod(MONGOD, ["--auth", ...tls]), startMongod(MONGOD)]);
  blackHole = createServer(() => undefined).listen(0, "127.0.0.1");
  const client = await MongoClient.connect(`mongodb://127.0.0.1:${guarded.port}/`);
  const admin = client.db("admin");
  await admin.command({ createUser: "root", pwd: PASSWORD, roles: ["root"] });
  await client.close();
  const root = await MongoClient.connect(urlOf("root"));
  for (const [user, role] of [
    ["writer", "readWrite"],
    ["reader", "read"],
  ] as const)
    await root.db("admin").command({ createUser: user, pwd: PASSWORD, roles: [{ role, db: "store" }] });
  await root.close();
});
after(async () => {
  for (const store of stores) await store.close();
  blackHole?.close();
  await Promise.all([guarded?.stop(), frozen?.stop()]);
  mongodbRan();
});

/** Closed at the end, whatever comes: an open store keeps the process. */
const opened = async (url: string): Promise<OpenedStore> => {
  const store = await openStore(url, { clock: systemClock });
  stores.push(store);
  return store;
};
const stores: OpenedStore[] = [];

/** Fails as it should, in time, in one line that holds nothing secret. */
const refused = async (attempt: Promise<unknown>, code: AigwError["code"], says: RegExp): Promise<void> => {
  const started = performance.now();
  await assert.rejects(attempt, (error) => {
    assert.ok(isAigwError(error, code), String(error));
    assert.match(error.message, says);
    assert.doesNotMatch(error.message, /\n|Geheim/);
    for (let at: unknown = error; at instanceof Error; at = at.cause) assert.doesNotMatch(`${at.stack}`, /Geheim/);
    return true;
  });
  assert.ok(performance.now() - started < BOUND_MS, `took ${performance.now() - started} ms`);
};

const portOf = (server: Server): number => (server.address() as { port: number }).port;

const OPEN_CHILD = join(import.meta.dirname, "store-support", "open-child.ts");

it("MongoDB's driver is not loaded for the embedded store", async () => {
  const { code, out, err } = await runChild(OPEN_CHILD, [sqliteFixture().url]);
  assert.deepEqual([code, out], [0, "no driver"], err);
});

describe("a connection to MongoDB", { skip, concurrency: 1 }, () => {
  it("needs no more than the role readWrite on the store's database", async () => {
    const url = urlOf("writer");
    assert.equal(await createStore(url, SEED), true);
    assert.equal(await createStore(url, SEED), false);
    const store = await opened(url);
    const john = aClient({ name: "john" });
    await store.control.append(0, [{ action: "client.add", subject: "john", after: john }], ACT);
    assert.deepEqual(await store.integrityCheck(), []);
    const { engine, files, servers } = await store.inspect();
    assert.match(engine, /^MongoDB \d+\.\d+\.\d+, one server$/);
    assert.deepEqual(files, []);
    assert.deepEqual(servers?.members, [{ address: `127.0.0.1:${guarded.port}`, role: "single" }]);
    assert.deepEqual([servers?.replicated, servers?.encrypted], [false, false]);
    assert.equal(servers?.collections.find(({ name }) => name === "changes")?.documents, 1);
    assert.ok(Math.abs(store.traffic.steadyNow() - Date.now()) < 5_000);
    await store.close();
    assert.deepEqual(await peekNames(url, "jo", 9), { clients: ["john"], services: [], plans: [] });
    assert.deepEqual(await peekNames(url, "x", 9), { clients: [], services: [], plans: [] });
  });

  it("keeps no process that has closed it", async () => {
    const child = startChild(OPEN_CHILD, [urlOf("writer")]);
    await child.printed("driver".length);
    const { code, out, err } = await within("the process to end", child.exit, 5_000);
    assert.deepEqual([code, out], [0, "driver"], err);
  });

  it("of a user who may only read can look, and says what it lacks for more", async () => {
    const store = await opened(urlOf("reader"));
    try {
      assert.equal((await store.control.clients()).length, 1);
      const remove = [{ action: "client.remove", subject: "john", after: null }] as const;
      const append = store.control.append(1, remove, ACT);
      await refused(append as Promise<unknown>, "store_unavailable", /may not do this.* role readWrite/);
    } finally {
      await store.close();
    }
  });

  it("with a wrong password, or none, says so and nothing of it", async () => {
    const open = (url: string): Promise<unknown> => openStore(url, { clock: systemClock });
    await refused(open(urlOf("writer", "GeheimFalsch")), "store_unavailable", /refused the user name or the password/);
    await refused(open(urlOf("Geheimer", PASSWORD)), "store_unavailable", /refused the user name or the password/);
    const anonymous = `mongodb://127.0.0.1:${guarded.port}/store`;
    await refused(open(anonymous), "store_unavailable", /check that the store's URL names a user/);
  });

  it("is TLS when the URL says so, and the server's certificate is judged", async () => {
    const trusted = `&tls=true&tlsCAFile=${encodeURIComponent(certificate)}`;
    const store = await opened(urlOf("writer", PASSWORD, trusted));
    assert.equal((await store.inspect()).servers?.encrypted, true);
    await store.close();
    const open = (options: string): Promise<unknown> =>
      openControl(urlOf("writer", PASSWORD, options), { clock: systemClock });
    const notThere = "&tls=true&tlsCAFile=/nowhere/ca.pem";
    await Promise.all([
      refused(open("&tls=true"), "store_unavailable", /No MongoDB server answers.*TLS/),
      refused(open(notThere), "store_unavailable", /\/nowhere\/ca\.pem cannot be read/),
    ]);
    const root = await MongoClient.connect(urlOf("root"));
    await root.db("admin").command({ setParameter: 1, tlsMode: "requireTLS" });
    await root.close();
    await refused(open(""), "store_unavailable", /No MongoDB server answers.*TLS/);
  });

  it("is not waited for longer than a command may take", async () => {
    const open = (port: number): Promise<unknown> =>
      openStore(`mongodb://u:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/store`, { clock: systemClock });
    const url = `mongodb://127.0.0.1:${frozen.port}/store`;
    await createStore(url, SEED);
    const store = await opened(url);
    const before = store.traffic.steadyNow();
    frozen.process.kill("SIGSTOP");
    try {
      const answered = (): Promise<boolean> =>
        Promise.resolve(store.control.head()).then(
          () => true,
          () => false,
        );
      // Its threads stop one after the other.
      await until("the server to stand still", async () => !(await Promise.race([answered(), delay(300)])));
      const says = /No MongoDB server answers at 127\.0\.0\.1:/;
      await Promise.all([
        refused(open(1), "store_unavailable", says),
        refused(open(portOf(blackHole)), "store_unavailable", says),
        refused(open(frozen.port), "store_unavailable", says),
        refused(store.control.head() as Promise<number>, "store_unavailable", /MongoDB server|store did not answer/),
        refused(
          store.control.snapshot() as Promise<unknown>,
          "store_unavailable",
          /MongoDB server|store did not answer/,
        ),
      ]);
      // Time goes on all the same.
      assert.ok(store.traffic.steadyNow() - before > 1_000);
      const started = performance.now();
      await store.close();
      assert.ok(performance.now() - started < 2_000);
    } finally {
      frozen.process.kill("SIGCONT");
    }
    const again = await opened(url);
    assert.equal(await again.control.head(), 0);
    await again.close();
  });

  it("keeps to the time that others have noted, and to a schema that it knows", async () => {
    const url = `mongodb://127.0.0.1:${frozen.port}/timed`;
    await createStore(url, SEED);
    const ahead = Date.now() + 3_600_000;
    const client = await MongoClient.connect(url);
    const meta = client.db().collection<{ _id: string }>("meta");
    await meta.updateOne({ _id: "time" }, { $set: { seen: ahead } }, { upsert: true });
    const store = await opened(url);
    const now = store.traffic.steadyNow();
    assert.ok(now >= ahead && now < ahead + BOUND_MS, `${now - ahead}`);
    await store.close();
    // One that an earlier version wrote is brought forward by whoever opens it: that version keeps off it then.
    await meta.updateOne({ _id: "store" }, { $set: { schema: 1 } });
    await (await opened(url)).close();
    assert.equal((await meta.findOne<{ schema: number }>({ _id: "store" }))?.schema, SCHEMA_VERSION);
    assert.ok(SCHEMA_VERSION > 1);
    await meta.updateOne({ _id: "store" }, { $set: { schema: 99 } });
    await client.close();
    await refused(openStore(url, { clock: systemClock }), "store_schema_newer", /schema version 99.*newer aigw/);
  });
});
