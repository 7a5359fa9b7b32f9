import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { umask } from "node:process";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { isAigwError } from "../src/errors.ts";
import { locateStore } from "../src/store/engines.ts";
import { createSqliteStore } from "../src/store/sqlite/control/create-sqlite-store.ts";
import type { SqliteStore } from "../src/store/sqlite/sqlite-store.ts";
import { aClient, anEvent, anInstance, FixedClock, HostileStore, storeContract } from "../src/testing/index.ts";
import { SEED, sqliteFixture } from "./store-support/sqlite-fixture.ts";

const ACT = { at: 5, actor: "test" };

storeContract("the embedded store", () => {
  const { open, clock } = sqliteFixture();
  return { open, clock, dispose: () => undefined };
});

// What holds of an engine that answers at once holds of one whose answers are waited for.
storeContract("an engine that answers by promises", () => {
  const { open, clock } = sqliteFixture();
  const byPromises = (): HostileStore => {
    const store = new HostileStore(open());
    store.treatAll({ kind: "promise" });
    return store;
  };
  return { open: byPromises, clock, dispose: () => undefined };
});

describe("the embedded store's files", () => {
  it("are private whatever the umask is, and leave nothing behind", async () => {
    const before = umask(0);
    try {
      const { open, folder } = sqliteFixture();
      const store = open();
      store.control.append(0, [{ action: "config.set", subject: "sender-name", after: "x" }], ACT);
      store.traffic.recordUsage([anEvent()]);
      const files = readdirSync(folder).sort();
      assert.deepEqual(files, [
        "aigw.db",
        "aigw.db-shm",
        "aigw.db-wal",
        "aigw.usage.db",
        "aigw.usage.db-shm",
        "aigw.usage.db-wal",
      ]);
      for (const file of files) assert.equal(statSync(`${folder}/${file}`).mode & 0o777, 0o600, file);
      await store.close();
      assert.deepEqual(readdirSync(folder).sort(), ["aigw.db", "aigw.usage.db"]);
    } finally {
      umask(before);
    }
  });

  it("are not created by reading the configuration", async () => {
    const { open, folder } = sqliteFixture();
    const store = open();
    store.control.clients();
    await store.control.snapshot();
    await store.close();
    assert.ok(!existsSync(`${folder}/aigw.usage.db`));
  });

  it("are never created over existing ones", async () => {
    const { path, open } = sqliteFixture();
    const before = readFileSync(path);
    assert.equal(createSqliteStore(path, { ...SEED, storeId: "other" }), false);
    assert.deepEqual(readFileSync(path), before);
    const store = open();
    assert.equal(store.control.storeId, SEED.storeId);
    await store.close();
  });

  it("keep nothing readable of a removed client", async () => {
    const { open, folder } = sqliteFixture();
    const store = open();
    const canary = "canary-4f1b";
    const john = aClient({ name: "john", note: canary, passwordHash: `$argon2id$${canary}` });
    store.control.append(0, [{ action: "client.add", subject: "john", after: john }], ACT);
    store.control.append(
      1,
      [{ action: "client.set", subject: "john", after: { ...john, note: canary.repeat(900) } }],
      ACT,
    );
    const holding = (): readonly string[] =>
      readdirSync(folder).filter((file) => readFileSync(`${folder}/${file}`, "latin1").includes(canary));
    assert.notDeepEqual(holding(), []);
    store.control.append(2, [{ action: "client.remove", subject: "john", after: null }], ACT);
    assert.deepEqual(holding(), []);
    // A database too large to be written anew at once has this alone until a gateway does it.
    assert.equal(store.control.database.get<{ secure_delete: number }>("PRAGMA secure_delete")?.secure_delete, 1);
    await store.close();
    assert.deepEqual(holding(), []);
  });
});

describe("steady time", () => {
  it("goes on where it was when the store is opened again in the same boot", async () => {
    const { open, clock } = sqliteFixture();
    const first = open();
    const start = first.traffic.steadyNow();
    assert.equal(start, clock.now());
    await first.close();
    clock.advance(700);
    clock.setWall(clock.now() - 86_400_000);
    const second = open();
    assert.equal(second.traffic.steadyNow(), start + 700);
    await second.close();
  });

  it("follows the wall clock after a reboot, but never goes back", async () => {
    const { open, clock } = sqliteFixture();
    const first = open();
    const start = first.traffic.steadyNow();
    first.traffic.setPermitWindow("k", 0, { spent: [[start + 300, 1]], leases: [] });
    await first.close();
    const later = new FixedClock(clock.now() + 60_000, 50);
    const second = open({ bootId: "boot-2", clock: later });
    assert.equal(second.traffic.steadyNow(), start + 60_000);
    later.advance(10);
    second.traffic.retireInstance("i");
    await second.close();
    const wrong = new FixedClock(clock.now() - 86_400_000, 70);
    const third = open({ bootId: "boot-3", clock: wrong });
    assert.equal(third.traffic.steadyNow(), start + 60_010);
    await third.close();
  });

  it("notices a reboot by the monotonic clock where boots have no names", async () => {
    const { open, clock } = sqliteFixture();
    const first = open({ bootId: "unnamed" });
    const start = first.traffic.steadyNow();
    first.traffic.retireInstance("i");
    await first.close();
    const rebooted = new FixedClock(clock.now() + 5_000, 20);
    const second = open({ bootId: "unnamed", clock: rebooted });
    assert.equal(second.traffic.steadyNow(), start + 5_000);
    await second.close();
  });

  it("is told without a fault while the file cannot be used, and agrees once it can", async () => {
    const { open, clock, folder, raw } = sqliteFixture();
    const other = open();
    const start = other.traffic.steadyNow();
    await other.close();
    const blocker = raw(`${folder}/aigw.usage.db`);
    blocker.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; DELETE FROM usage; COMMIT");
    clock.setWall(clock.now() + 9_000);
    const store = open({ busyTimeoutMs: 0 });
    assert.equal(store.traffic.steadyNow(), start + 9_000);
    assert.throws(
      () => store.traffic.recordUsage([anEvent()]),
      (error) => isAigwError(error, "store_locked"),
    );
    blocker.close();
    clock.advance(1_000);
    assert.equal(store.traffic.steadyNow(), start + 1_000);
    await store.close();
  });

  it("is that of the gateways, also while the file cannot be used or is made anew", async () => {
    for (const what of ["damaged", "gone"] as const) {
      const { open, clock, folder } = sqliteFixture();
      const gateway = open();
      gateway.traffic.reportInstance(anInstance());
      const start = gateway.traffic.steadyNow();
      const file = `${folder}/aigw.usage.db`;
      for (const end of ["", "-wal", "-shm"]) renameSync(`${file}${end}`, `${file}${end}.away`);
      if (what === "damaged") writeFileSync(file, "garbage".repeat(1_000), { mode: 0o600 });
      clock.setWall(clock.now() + 3_600_000);
      const late = open();
      assert.equal(late.traffic.steadyNow(), start, what);
      clock.advance(300);
      for (const end of ["", "-wal", "-shm"]) rmSync(`${file}${end}`, { force: true });
      late.traffic.recordUsage([anEvent()]);
      gateway.traffic.recordUsage([anEvent()]);
      for (const { traffic } of [late, gateway]) assert.equal(traffic.steadyNow(), start + 300, what);
      const rebooted = open({ bootId: "boot-2", clock: new FixedClock(clock.now() + 5_000, 20) });
      assert.equal(rebooted.traffic.steadyNow(), start + 3_600_300 + 5_000, "the copy is of one boot");
      for (const store of [gateway, late, rebooted]) await store.close();
    }
  });
});

describe("store URLs", () => {
  it("name a file, absolute or from the working directory", async () => {
    const pathOf = async (url: string): Promise<string | undefined> => (await locateStore(url)).location.path;
    assert.equal(await pathOf("sqlite:/data/x.db"), "/data/x.db");
    assert.equal(await pathOf("SQLite:///data/x.db"), "/data/x.db");
    assert.equal(await pathOf("sqlite:x.db"), `${process.cwd()}/x.db`);
    const { location } = await locateStore("sqlite:///data/x.db");
    assert.deepEqual(location, { engine: "sqlite", url: "sqlite:/data/x.db", shown: "/data/x.db", path: "/data/x.db" });
  });

  it("name a database of MongoDB, shown without user and password", async () => {
    for (const [url, shown] of [
      ["mongodb://h", "mongodb://h/aigw"],
      ["mongodb://u:geheim@h:27017,i/?tls=true", "mongodb://h:27017,i/aigw"],
      ["MongoDB+SRV://u:geheim@h.example.com/own?retryWrites=true", "mongodb+srv://h.example.com/own"],
      ["mongodb://u:p%40geheim@[::1]:27017/own", "mongodb://[::1]:27017/own"],
    ] as const) {
      const { location } = await locateStore(url);
      assert.deepEqual([location.engine, location.shown, location.url], ["mongodb", shown, url]);
    }
  });

  for (const [url, code] of [
    ["mongodb://u:geheim@", "invalid_value"],
    ["mongodb://u:ge@heim@h/db", "invalid_value"],
    ["mongodb://u:1234/geheim@h/db", "invalid_value"],
    ["mongodb://u:1234?geheim@h/db", "invalid_value"],
    ["mongodb://u:geheim#1@h/db", "invalid_value"],
    ["mongodb://u:%geheim@h/%zz", "invalid_value"],
    ["mongodb://u:geheim@h/a.b", "invalid_value"],
    ["mongodb://h:geheim/db", "invalid_value"],
    ["postgres://u:geheim@h/db", "invalid_value"],
    ["sqlite:", "invalid_value"],
    ["sqlite://geheim/x.db", "invalid_value"],
    ["sqlite::memory:", "invalid_value"],
    ["sqlite:/x.db?mode=geheim", "invalid_value"],
    ["/geheim.db", "invalid_value"],
    ["", "invalid_value"],
  ] as const) {
    it(`${url || "nothing"} is refused without repeating it`, async () => {
      await assert.rejects(locateStore(url), (error) => isAigwError(error, code) && !error.message.includes("geheim"));
    });
  }
});

describe("what usage leaves in the log", () => {
  const events = (count: number) => Array.from({ length: count }, (_, at) => anEvent({ at }));
  /** Writes as a gateway does, more than the log may have. @returns how often it moved the log itself */
  const writeMuch = (store: SqliteStore, path: string, beside: (batch: number) => void = () => undefined): number => {
    let moved = 0;
    for (let batch = 0; batch < 400; batch += 1) {
      const before = statSync(path, { bigint: true }).mtimeNs;
      store.traffic.recordUsage(events(100));
      if (statSync(path, { bigint: true }).mtimeNs !== before) moved += 1;
      beside(batch);
    }
    return moved;
  };

  it("is moved by a keeper, so that no call waits for it", async () => {
    const { open, folder } = sqliteFixture();
    const [gateway, keeper] = [open(), open()];
    const path = `${folder}/aigw.usage.db`;
    gateway.traffic.recordUsage(events(1));
    assert.notEqual(writeMuch(gateway, path), 0, "without a keeper");
    keeper.checkpoint();
    const moved = writeMuch(gateway, path, (batch) => {
      if (batch % 10 === 9) keeper.checkpoint();
    });
    assert.equal(moved, 0);
    assert.ok(statSync(`${path}-wal`).size < 4_100 * 4_120, "and it begins anew");
    await Promise.all([gateway.close(), keeper.close()]);
  });

  it("waits there for a reader who stays, and nobody waits for that", async () => {
    const { open, folder } = sqliteFixture();
    const [gateway, keeper] = [open(), open({ busyTimeoutMs: 2_000 })];
    const path = `${folder}/aigw.usage.db`;
    gateway.traffic.recordUsage(events(1));
    const reader = new DatabaseSync(path);
    reader.exec("BEGIN; SELECT count(*) FROM usage");
    writeMuch(gateway, path, (batch) => {
      if (batch % 100 !== 99) return;
      const start = performance.now();
      keeper.checkpoint();
      assert.ok(performance.now() - start < 1_000, "half of what it waits for a lock otherwise");
    });
    assert.ok(statSync(`${path}-wal`).size > 4_100 * 4_120, "all of it is still there");
    reader.close();
    keeper.checkpoint();
    gateway.traffic.recordUsage(events(1));
    const { log, checkpointed } = new DatabaseSync(path).prepare("PRAGMA wal_checkpoint(NOOP)").get() as Record<
      string,
      number
    >;
    assert.ok((log ?? 0) < 100 && checkpointed === 0, `the log has begun anew: ${log}`);
    await Promise.all([gateway.close(), keeper.close()]);
  });
});
