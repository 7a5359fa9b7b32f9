import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { getuid } from "node:process";
import { describe, it } from "node:test";
import { type ErrorCode, isAigwError } from "../src/errors.ts";
import { SqliteControl } from "../src/store/sqlite/control/control.ts";
import { CONTROL_SCHEMA } from "../src/store/sqlite/control/control-schema.ts";
import { Database } from "../src/store/sqlite/files/database.ts";
import { assertSqliteVersion } from "../src/store/sqlite/files/sqlite-version.ts";
import { aClient, anEvent } from "../src/testing/index.ts";
import { meddleAtStat } from "./store-support/before-stat.ts";
import { runChild } from "./store-support/children.ts";
import { temporaryFolder } from "./store-support/folders.ts";
import { sqliteFixture } from "./store-support/sqlite-fixture.ts";

const ACT = { at: 5, actor: "test" };
const SENDER = { action: "config.set", subject: "sender-name", after: "x" } as const;
const TRY_CHILD = join(import.meta.dirname, "store-support", "try-child.ts");
const IS_ROOT = getuid?.() === 0;

/** Of the right code, and one clear line that names the file. */
const fault =
  (code: ErrorCode, names: string) =>
  (error: unknown): boolean => {
    assert.ok(isAigwError(error, code), String(error));
    assert.ok(error.message.includes(names), error.message);
    assert.ok(!error.message.includes("\n"));
    return true;
  };

describe("a database that is not as it should be", () => {
  it("locked: reading goes on, writing says so within the timeout", async () => {
    const { open, raw, path } = sqliteFixture();
    const store = open({ busyTimeoutMs: 30 });
    const other = raw();
    other.exec("BEGIN IMMEDIATE");
    const start = performance.now();
    assert.throws(() => store.control.append(0, [SENDER], ACT), fault("store_locked", path));
    assert.ok(performance.now() - start < 4_000, "that timeout, not the default of 5 s");
    assert.equal(store.control.head(), 0);
    other.exec("ROLLBACK");
    assert.equal(store.control.append(0, [SENDER], ACT).rev, 1);
    other.close();
    await store.close();
  });

  it("full: the failed append leaves nothing, and works once there is space", () => {
    const { path } = sqliteFixture();
    const db = Database.open(path, CONTROL_SCHEMA, 0);
    const control = new SqliteControl(db);
    const client = aClient({ note: "n".repeat(50_000) });
    const add = { action: "client.add", subject: client.name, after: client } as const;
    db.exec("PRAGMA max_page_count = 20");
    assert.throws(() => control.append(0, [add], ACT), fault("store_full", path));
    assert.equal(control.head(), 0);
    assert.deepEqual(control.clients(), []);
    db.exec("PRAGMA max_page_count = 1000");
    assert.equal(control.append(0, [add], ACT).rev, 1);
    assert.deepEqual(db.integrityProblems(), []);
    db.close();
  });

  it("damaged: bytes overwritten", async () => {
    const { open, path } = sqliteFixture();
    const store = open();
    for (let rev = 0; rev < 50; rev += 1) {
      const client = aClient({ note: "n".repeat(2_000) });
      store.control.append(rev, [{ action: "client.add", subject: client.name, after: client }], ACT);
    }
    await store.close();
    const file = openSync(path, "r+");
    writeSync(file, Buffer.alloc(120_000, 0x5a), 0, 120_000, 8_192);
    closeSync(file);
    await assert.rejects(
      async () => {
        const broken = open();
        try {
          await broken.control.snapshot();
        } finally {
          await broken.close();
        }
      },
      fault("store_corrupt", path),
    );
  });

  it("damaged: cut short, empty, or no database at all", async () => {
    const cut = sqliteFixture();
    truncateSync(cut.path, 5_000);
    await assert.rejects(async () => cut.open().control.snapshot(), fault("store_corrupt", cut.path));
    const empty = sqliteFixture();
    truncateSync(empty.path, 0);
    assert.throws(() => empty.open(), fault("store_corrupt", empty.path));
    assert.equal(readFileSync(empty.path).length, 0);
    const text = sqliteFixture();
    writeFileSync(text.path, "this is not a database. ".repeat(500));
    assert.throws(() => text.open(), fault("store_corrupt", text.path));
  });

  it("damaged usage: the configuration is served, usage says what is wrong, the clock goes on", async () => {
    const { open, folder, clock } = sqliteFixture();
    writeFileSync(join(folder, "aigw.usage.db"), "broken ".repeat(1_000), { mode: 0o600 });
    const store = open();
    assert.equal(store.control.head(), 0);
    assert.throws(() => store.traffic.recordUsage([anEvent()]), fault("store_corrupt", "aigw.usage.db"));
    assert.equal(store.traffic.steadyNow(), clock.now());
    await store.close();
  });

  it("missing, or a folder in its place: nothing is created", () => {
    const { open, path, folder } = sqliteFixture();
    renameSync(path, `${path}.away`);
    assert.throws(() => open(), fault("store_unavailable", path));
    mkdirSync(path);
    assert.throws(() => open(), fault("store_unavailable", path));
    assert.throws(() => sqliteFixture(join(folder, "none")), fault("store_unavailable", join(folder, "none")));
  });

  for (const look of [1, 2]) {
    it(`gone between look ${look} at it and the opening: nothing is created`, async () => {
      const { open, path } = sqliteFixture();
      const opening = (): void => {
        assert.throws(
          () => open(),
          (error) => isAigwError(error),
        );
      };
      await meddleAtStat(look, "after", () => rmSync(path), opening);
      assert.ok(!existsSync(path));
    });
  }

  it("another kind of database: told apart and left alone", async () => {
    const { open, path, raw, folder } = sqliteFixture();
    const store = open();
    store.traffic.recordUsage([anEvent()]);
    await store.close();
    copyFileSync(join(folder, "aigw.usage.db"), path);
    assert.throws(() => open(), fault("store_unsupported", path));
    rmSync(path);
    const foreign = raw();
    foreign.exec("CREATE TABLE t (a)");
    foreign.close();
    chmodSync(path, 0o600);
    const before = readFileSync(path);
    assert.throws(() => open(), fault("store_unsupported", path));
    assert.deepEqual(readFileSync(path), before);
  });

  it("readable by others: refused with the command that fixes it", async () => {
    const { open, path, folder } = sqliteFixture();
    chmodSync(path, 0o640);
    assert.throws(() => open(), fault("insecure_permissions", `chmod 600 '${path}'`));
    chmodSync(path, 0o600);
    const store = open();
    store.traffic.recordUsage([anEvent()]);
    await store.close();
    chmodSync(join(folder, "aigw.usage.db"), 0o604);
    const again = open();
    assert.throws(() => again.traffic.recordUsage([anEvent()]), fault("insecure_permissions", "aigw.usage.db"));
    await again.close();
  });

  it("moved away while in use: no write goes into the nameless file", async () => {
    const { open, path, folder, clock } = sqliteFixture();
    const store = open();
    store.traffic.recordUsage([anEvent({ id: "lost" })]);
    const steady = store.traffic.steadyNow();
    renameSync(path, `${path}.away`);
    assert.throws(() => store.control.head(), fault("store_unavailable", path));
    assert.throws(() => store.control.append(0, [SENDER], ACT), fault("store_unavailable", path));
    renameSync(`${path}.away`, path);
    assert.equal(store.control.append(0, [SENDER], ACT).rev, 1);
    for (const file of ["aigw.usage.db", "aigw.usage.db-wal", "aigw.usage.db-shm"]) rmSync(join(folder, file));
    clock.advance(1_000);
    const event = anEvent();
    store.traffic.recordUsage([event]);
    assert.equal(store.traffic.steadyNow(), steady + 1_000);
    const other = open();
    assert.deepEqual(other.traffic.latestUsage({}, 9).events, [event]);
    await other.close();
    await store.close();
  });

  it("a log without its database: not replayed into a new one", async () => {
    const { open, folder } = sqliteFixture();
    const store = open();
    store.traffic.recordUsage([anEvent()]);
    const wal = readFileSync(join(folder, "aigw.usage.db-wal"));
    await store.close();
    rmSync(join(folder, "aigw.usage.db"));
    writeFileSync(join(folder, "aigw.usage.db-wal"), wal, { mode: 0o600 });
    const again = open();
    assert.throws(() => again.traffic.recordUsage([anEvent()]), fault("store_unavailable", "aigw.usage.db-wal"));
    await again.close();
  });

  it("closed: says so", async () => {
    const { open, path } = sqliteFixture();
    const store = open();
    await store.close();
    await store.close();
    assert.throws(() => store.control.clients(), fault("store_unavailable", path));
    assert.throws(() => store.traffic.recordUsage([anEvent()]), fault("store_unavailable", "aigw.usage.db"));
  });

  it("with an SQLite that can corrupt it: refused with both versions", () => {
    const version = (text: string): Pick<Database, "get"> => ({ get: <Row>() => ({ version: text }) as Row });
    for (const old of ["3.51.2", "3.50.99", "2.99.99", "3.51"]) {
      assert.throws(() => assertSqliteVersion(version(old)), fault("store_unsupported", old));
    }
    for (const good of ["3.51.3", "3.52.0", "4.0.0", "3.51.3.1"]) assertSqliteVersion(version(good));
  });
});

describe("a database that may only be read", () => {
  /** Runs the steps as a user who may not write: root may write everything, so as nobody. */
  const wrapper = IS_ROOT ? ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"] : [];
  const usable = !IS_ROOT || spawnSync("setpriv", ["--version"]).status === 0;

  it("file and folder read-only: reads work where SQLite can, writes say so", {
    skip: !usable && "no setpriv",
  }, async () => {
    const { path, folder, url, open } = sqliteFixture();
    const keeper = open();
    keeper.traffic.recordUsage([anEvent()]);
    keeper.control.append(0, [SENDER], ACT);
    if (IS_ROOT) spawnSync("chown", ["-R", "65534:65534", folder]);
    for (const file of ["aigw.db", "aigw.usage.db"]) chmodSync(join(folder, file), 0o400);
    chmodSync(folder, 0o500);
    const exit = await runChild(TRY_CHILD, [url], wrapper);
    chmodSync(folder, 0o700);
    assert.deepEqual(
      JSON.parse(exit.out),
      { open: "ok", read: "ok", append: "store_read_only", usage: "store_read_only" },
      exit.err,
    );
    await keeper.close();
    chmodSync(folder, 0o500);
    const alone = await runChild(TRY_CHILD, [url], wrapper);
    chmodSync(folder, 0o700);
    assert.deepEqual(JSON.parse(alone.out), { open: "store_read_only" }, alone.err);
    assert.ok(path);
  });
});

describe("a full disk", () => {
  /** A tiny file system of our own, where we may mount one. */
  const mounted = (): string | undefined => {
    const folder = temporaryFolder();
    return spawnSync("mount", ["-t", "tmpfs", "-o", "size=400k,mode=700", "aigw-test", folder]).status === 0
      ? folder
      : undefined;
  };

  it("fails with store_full and keeps every acknowledged record", async (test) => {
    const folder = mounted();
    if (folder === undefined) return test.skip("may not mount a file system");
    try {
      const { open } = sqliteFixture(folder);
      const store = open();
      let acknowledged = 0;
      const fill = (): void => {
        for (; acknowledged < 1_000; acknowledged += 1) {
          const client = aClient({ note: "n".repeat(5_000) });
          store.control.append(acknowledged, [{ action: "client.add", subject: client.name, after: client }], ACT);
        }
      };
      assert.throws(fill, fault("store_full", folder));
      assert.ok(acknowledged > 5);
      assert.equal(store.control.head(), acknowledged);
      assert.throws(() => store.traffic.recordUsage([anEvent()]), fault("store_full", folder));
      spawnSync("mount", ["-o", "remount,size=4m", folder]);
      assert.equal(store.control.append(acknowledged, [SENDER], ACT).rev, acknowledged + 1);
      assert.deepEqual(store.control.clients().length, acknowledged);
      store.traffic.recordUsage([anEvent()]);
      assert.deepEqual(store.integrityCheck(), []);
      await store.close();
      spawnSync("mount", ["-o", "remount,ro", folder]);
      assert.throws(() => open(), fault("store_read_only", folder));
    } finally {
      assert.equal(spawnSync("umount", [folder]).status, 0);
    }
  });
});
