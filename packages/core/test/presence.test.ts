import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { umask } from "node:process";
import { after, describe, it } from "node:test";
import { systemClock } from "../src/clock.ts";
import { isAigwError } from "../src/errors.ts";
import { createDatabaseFile } from "../src/store/sqlite/files/create-database-file.ts";
import { Database } from "../src/store/sqlite/files/database.ts";
import { SqliteStore } from "../src/store/sqlite/sqlite-store.ts";
import { TRAFFIC_SCHEMA } from "../src/store/sqlite/traffic/traffic-schema.ts";
import type { SeenInstance } from "../src/store/store.ts";
import { anEvent, anInstance, FixedClock } from "../src/testing/index.ts";
import { type Child, startChild } from "./store-support/children.ts";
import { type SqliteFixture, sqliteFixture } from "./store-support/sqlite-fixture.ts";

const CHILD = join(import.meta.dirname, "store-support", "presence-child.ts");
/** Beyond it an instance is silent: the shortest there is, so that no test waits. */
const AT_ONCE = 0;
const LEASE_MS = 60_000;

const children: Child[] = [];
after(() => {
  for (const child of children) child.process.kill("SIGKILL");
});

/** A process that has reported these instances, and what another one sees. */
const reported = async (...ids: string[]) => {
  const fixture = sqliteFixture();
  const child = startChild(CHILD, [fixture.url, ...ids]);
  children.push(child);
  await child.printed("reported\n".length);
  const store = new SqliteStore(fixture.path, { clock: systemClock, busyTimeoutMs: 0 });
  const ended = async (signal: NodeJS.Signals): Promise<void> => {
    child.process.kill(signal);
    await child.exit;
  };
  return { ...fixture, presence: join(fixture.folder, "aigw.gateways"), child, store, ended };
};

/** As told: the id, and whether it is known to run. */
const told = (seen: readonly SeenInstance[]): readonly string[] =>
  seen.map(({ id, alive }) => (alive ? `${id} runs` : id));

describe("a gateway that does not report", () => {
  it("is known to run until its process ends, however it does, also suspended", async () => {
    const { store, child, ended } = await reported("g_1", "g_2");
    assert.deepEqual(told(store.traffic.instances(LEASE_MS)), ["g_1", "g_2"]);
    assert.deepEqual(told(store.traffic.instances(AT_ONCE)), ["g_1 runs", "g_2 runs"]);
    child.process.kill("SIGSTOP");
    assert.deepEqual(told(store.traffic.instances(AT_ONCE)), ["g_1 runs", "g_2 runs"]);
    await ended("SIGKILL");
    assert.deepEqual(told(store.traffic.instances(LEASE_MS)), ["g_1", "g_2"], "the lease of a dead one runs out");
    assert.deepEqual(told(store.traffic.instances(AT_ONCE)), []);
    await store.close();
  });

  it("may run for an hour when its lock was taken from the disk, and is one again once it reports", async () => {
    const { clock, open, folder } = sqliteFixture();
    const [one, two] = [open(), open()];
    one.traffic.reportInstance(anInstance({ id: "g_1" }));
    rmSync(join(folder, "aigw.gateways", "g_1.lock"));
    clock.advance(20_000);
    assert.deepEqual(told(two.traffic.instances(10_000)), ["g_1"]);
    one.traffic.reportInstance(anInstance({ id: "g_1" }));
    clock.advance(20_000);
    assert.deepEqual(told(two.traffic.instances(10_000)), ["g_1 runs"]);
    rmSync(join(folder, "aigw.gateways", "g_1.lock"));
    clock.advance(3_600_000);
    assert.deepEqual(told(two.traffic.instances(10_000)), []);
    await one.close();
    await two.close();
  });

  it("cannot say so where it must, and is not forgotten for it", async () => {
    const { clock, open, folder } = sqliteFixture();
    const [one, two] = [open(), open()];
    const path = join(folder, "aigw.gateways", "g_1.json");
    one.traffic.reportInstance(anInstance({ id: "g_1", appliedRev: 4 }));
    mkdirSync(`${path}.new`);
    assert.throws(
      () => one.traffic.reportInstance(anInstance({ id: "g_1", appliedRev: 5 })),
      (error) => isAigwError(error, "store_unavailable") && error.message.includes(path),
    );
    clock.advance(20_000);
    const [seen] = two.traffic.instances(10_000);
    assert.deepEqual([seen?.id, seen?.alive, seen?.appliedRev, seen?.lastSeenAgoMs], ["g_1", true, 4, 20_000]);
    await one.close();
    assert.deepEqual(two.traffic.instances(10_000), []);
    await two.close();
  });
});

describe("presence", () => {
  it("needs no database: neither a held lock nor a damaged usage database keeps anybody from reporting", async () => {
    const { open, raw, folder } = sqliteFixture();
    const [one, two] = [open({ busyTimeoutMs: 0 }), open({ busyTimeoutMs: 0 })];
    one.traffic.recordUsage([anEvent()]);
    const blocker = raw(join(folder, "aigw.usage.db"));
    blocker.exec("BEGIN IMMEDIATE");
    assert.throws(
      () => one.traffic.recordUsage([anEvent({ id: "u_2" })]),
      (error) => isAigwError(error, "store_locked"),
    );
    one.traffic.reportInstance(anInstance({ id: "g_1", appliedRev: 7 }));
    assert.equal(two.traffic.instances(LEASE_MS)[0]?.appliedRev, 7);
    one.traffic.retireInstance("g_1");
    assert.deepEqual(two.traffic.instances(LEASE_MS), []);
    blocker.close();
    await one.close();
    await two.close();
  });

  it("is private whatever the umask is, refused when it is not, and leaves nothing when all have retired", async () => {
    const before = umask(0);
    try {
      const { open, folder } = sqliteFixture();
      const store = open();
      const presence = join(folder, "aigw.gateways");
      store.traffic.reportInstance(anInstance({ id: "g_1" }));
      assert.deepEqual(readdirSync(presence).sort(), ["g_1.json", "g_1.lock"]);
      for (const file of readdirSync(presence)) assert.equal(statSync(join(presence, file)).mode & 0o777, 0o600, file);
      assert.equal(statSync(presence).mode & 0o777, 0o700);
      chmodSync(presence, 0o755);
      for (const step of [
        () => store.traffic.instances(LEASE_MS),
        () => open().traffic.reportInstance(anInstance({ id: "g_2" })),
      ]) {
        assert.throws(step, (error) => isAigwError(error, "insecure_permissions") && error.message.includes(presence));
      }
      chmodSync(presence, 0o700);
      store.traffic.retireInstance("g_1");
      assert.deepEqual(readdirSync(presence), []);
      await store.close();
    } finally {
      umask(before);
    }
  });

  it("is swept of the dead when a gateway starts, and of nobody else", async () => {
    const { open, folder } = sqliteFixture();
    const dead = open();
    for (const id of ["g_1", "g_2"]) dead.traffic.reportInstance(anInstance({ id }));
    const alive = open();
    alive.traffic.reportInstance(anInstance({ id: "g_3" }));
    await dead.close();
    const old = Date.now() / 1_000 - 120;
    for (const name of ["g_1.json", "g_1.lock", "g_3.json", "g_3.lock"])
      utimesSync(join(folder, "aigw.gateways", name), old, old);
    const fresh = open();
    fresh.traffic.reportInstance(anInstance({ id: "g_4" }));
    const left = readdirSync(join(folder, "aigw.gateways")).map((name) => name.split(".")[0] ?? "");
    assert.deepEqual([...new Set(left)].sort(), ["g_2", "g_3", "g_4"], "g_2 died only now");
    await alive.close();
    await fresh.close();
  });

  it("of an earlier boot is nobody's, named or not", async () => {
    const { open } = sqliteFixture();
    const first = open({ bootId: "unnamed", clock: new FixedClock(undefined, 5_000_000) });
    first.traffic.reportInstance(anInstance({ id: "g_1" }));
    await first.close();
    for (const bootId of ["unnamed", "boot-2"]) {
      const store = open({ bootId, clock: new FixedClock(undefined, bootId === "unnamed" ? 20 : 5_000_001) });
      assert.deepEqual(store.traffic.instances(LEASE_MS), [], bootId);
      await store.close();
    }
  });

  it("that a power loss cut is nobody's; of one that runs it is a fault until it is written anew", async () => {
    const { open, folder } = sqliteFixture();
    const [one, two] = [open(), open()];
    one.traffic.reportInstance(anInstance({ id: "g_1" }));
    const path = join(folder, "aigw.gateways", "g_1.json");
    writeFileSync(path, '{"bootId"');
    assert.throws(
      () => two.traffic.instances(LEASE_MS),
      (error) => isAigwError(error, "store_corrupt") && error.message.includes(path),
    );
    one.traffic.reportInstance(anInstance({ id: "g_1" }));
    assert.deepEqual(told(two.traffic.instances(LEASE_MS)), ["g_1"]);
    await one.close();
    writeFileSync(path, "");
    assert.deepEqual(two.traffic.instances(LEASE_MS), []);
    await two.close();
  });

  it("goes where the home goes, and is not made anew where the home is gone", async () => {
    const { open, folder } = sqliteFixture();
    const store = open();
    store.traffic.reportInstance(anInstance({ id: "g_1" }));
    renameSync(folder, `${folder}.away`);
    assert.throws(
      () => store.traffic.reportInstance(anInstance({ id: "g_1" })),
      (error) => isAigwError(error, "store_unavailable"),
    );
    assert.equal(existsSync(folder), false);
    renameSync(`${folder}.away`, folder);
    store.traffic.reportInstance(anInstance({ id: "g_1", appliedRev: 2 }));
    const other = open();
    assert.deepEqual(told(other.traffic.instances(AT_ONCE)), ["g_1"]);
    await store.close();
    await other.close();
  });
});

/** A home whose usage database is as the version before made it, in which a gateway of that version reports. */
const homeOfBefore = (seenAgoMs: number): SqliteFixture => {
  const fixture = sqliteFixture();
  const path = join(fixture.folder, "aigw.usage.db");
  const before = { ...TRAFFIC_SCHEMA, steps: TRAFFIC_SCHEMA.steps.slice(0, 3) };
  createDatabaseFile(path, before, (db) => {
    const now = fixture.clock.now();
    db.run("INSERT INTO meta VALUES ('boot_id', 'boot-1'), ('steady_offset', ?)", now - fixture.clock.monotonic());
    const record = JSON.stringify(anInstance({ id: "g_old", appliedRev: 3 }));
    db.run("INSERT INTO instances VALUES ('g_old', ?, ?)", now - seenAgoMs, record);
  });
  return fixture;
};

describe("a home of the version before", () => {
  it("shows its gateway that still runs, beside newer ones, and forgets it after its lease", async () => {
    const { open, clock } = homeOfBefore(400);
    const store = open();
    store.traffic.reportInstance(anInstance({ id: "g_new" }));
    const seen = store.traffic.instances(10_000);
    assert.deepEqual(
      seen.map(({ id, lastSeenAgoMs, appliedRev }) => [id, lastSeenAgoMs, appliedRev]),
      [
        ["g_new", 0, anInstance().appliedRev],
        ["g_old", 400, 3],
      ],
    );
    clock.advance(10_000);
    store.traffic.reportInstance(anInstance({ id: "g_new" }));
    assert.deepEqual(told(store.traffic.instances(10_000)), ["g_new"]);
    await store.close();
  });

  it("refuses that version's commands from then on, which would see no newer gateway", async () => {
    const { open, folder } = homeOfBefore(0);
    const store = open();
    store.traffic.instances(10_000);
    await store.close();
    const path = join(folder, "aigw.usage.db");
    const before = readFileSync(path);
    assert.throws(
      () => Database.open(path, { ...TRAFFIC_SCHEMA, steps: TRAFFIC_SCHEMA.steps.slice(0, 3) }, 0),
      (error) => isAigwError(error, "store_schema_newer"),
    );
    assert.deepEqual(readFileSync(path), before);
  });
});
