import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { ChangeDraft } from "../src/changes/change.ts";
import { emptyControlState, fold } from "../src/changes/control-state.ts";
import { traceOf } from "../src/changes/secrets.ts";
import { isAigwError } from "../src/errors.ts";
import { appendChange, SqliteControl } from "../src/store/sqlite/control/control.ts";
import { CONTROL_SCHEMA } from "../src/store/sqlite/control/control-schema.ts";
import { createDatabaseFile } from "../src/store/sqlite/files/create-database-file.ts";
import { Database } from "../src/store/sqlite/files/database.ts";
import type { Schema } from "../src/store/sqlite/files/migrations.ts";
import { TRAFFIC_SCHEMA } from "../src/store/sqlite/traffic/traffic-schema.ts";
import { aClient, aJob, anEvent, contentsOf } from "../src/testing/index.ts";
import { runTogether } from "./store-support/children.ts";
import { temporaryFolder } from "./store-support/folders.ts";
import { everythingOf, lived } from "./store-support/lived-store.ts";
import { downgradeUsage, olderSchema } from "./store-support/older-usage.ts";
import { manySteps } from "./store-support/schemas.ts";
import { sqliteFixture } from "./store-support/sqlite-fixture.ts";

const ACT = { at: 5, actor: "test" };
const SENDER = { action: "config.set", subject: "sender-name", after: "x" } as const;

const newFile = (schema: Schema): string => {
  const path = join(temporaryFolder(), "x.db");
  createDatabaseFile(path, schema, () => undefined);
  return path;
};

const stepsTaken = (path: string, schema: Schema): readonly number[] => {
  const db = Database.open(path, schema, 0);
  const rows = db.all<{ step: number }>("SELECT step FROM taken ORDER BY rowid");
  db.close();
  return rows.map((row) => row.step);
};

describe("an older database", () => {
  it("is brought up to date, each step once and in order", () => {
    const path = newFile(manySteps(1));
    assert.deepEqual(stepsTaken(path, manySteps(1)), []);
    assert.deepEqual(stepsTaken(path, manySteps(3)), [1, 2]);
    assert.deepEqual(stepsTaken(path, manySteps(3)), [1, 2]);
    assert.deepEqual(stepsTaken(path, manySteps(5)), [1, 2, 3, 4]);
  });

  it("stays at the last good step when one fails", () => {
    const path = newFile(manySteps(2));
    const broken = {
      ...manySteps(3),
      steps: [...manySteps(3).steps, "INSERT INTO taken VALUES (99); INSERT INTO nowhere VALUES (1)"],
    };
    assert.throws(
      () => Database.open(path, broken, 0),
      (error) => isAigwError(error, "failed"),
    );
    assert.deepEqual(stepsTaken(path, manySteps(3)), [1, 2]);
  });

  it("is brought up to date once by many processes at once", async () => {
    const path = newFile(manySteps(1));
    const exits = await runTogether(
      join(import.meta.dirname, "store-support", "migrate-child.ts"),
      Array.from({ length: 6 }, () => [path]),
    );
    for (const exit of exits) assert.equal(exit.code, 0, exit.err);
    assert.deepEqual(
      stepsTaken(path, manySteps(20)),
      Array.from({ length: 19 }, (_, index) => index + 1),
    );
  });
});

describe("a log of before changes had several effects", () => {
  it("is read as it was, once migrated, and goes on", async () => {
    const path = join(temporaryFolder(), "aigw.db");
    const first = { ...CONTROL_SCHEMA, steps: CONTROL_SCHEMA.steps.slice(0, 1) };
    const ann = aClient({ name: "ann" });
    const john = aClient({ name: "john" });
    const rows: [action: string, subject: string, after: unknown, superseded?: true][] = [
      ["client.add", "john", john],
      ["client.add", "ann", { purged: true }],
      ["client.remove", "ann", null],
      ["config.set", "sender-name", "x"],
      ["client.add", "ann", ann],
    ];
    createDatabaseFile(path, first, (db) => {
      db.run("INSERT INTO meta VALUES ('store_id', 'id'), ('key_check', 'check')");
      for (const [index, [action, subject, after]] of rows.entries()) {
        const sql = "INSERT INTO changes (rev, at, actor, action, subject, after) VALUES (?, ?, ?, ?, ?, ?)";
        db.run(sql, index + 1, ACT.at + index, ACT.actor, action, subject, JSON.stringify(after));
      }
      for (const client of [ann, john])
        db.run("INSERT INTO clients VALUES (?, ?, ?)", client.name, client.id, JSON.stringify(client));
      db.run("INSERT INTO settings VALUES ('sender-name', 'x')");
    });
    for (let turn = 0; turn < 2; turn += 1) {
      const control = SqliteControl.open(path, 0);
      assert.deepEqual(
        control.changesAfter(0, 9).slice(0, 5),
        rows.map(([action, subject, after, superseded], index) => ({
          rev: index + 1,
          at: ACT.at + index,
          actor: ACT.actor,
          effects: [{ action, subject, after, ...(superseded && { superseded }) }],
        })),
      );
      const folded = emptyControlState();
      for (const change of control.changesAfter(0, 9)) fold(folded, change);
      assert.deepEqual(contentsOf(await control.snapshot()), contentsOf(folded));
      assert.deepEqual(
        control.latestChanges({ limit: 9, subject: "ann" }).map(({ rev }) => rev),
        turn === 0 ? [5, 3, 2] : [6, 5, 3, 2],
      );
      if (turn === 0) {
        const more: readonly ChangeDraft[] = [
          { action: "client.set", subject: "ann", after: { ...ann, note: "x" } },
          { action: "client.remove", subject: "john", after: null },
        ];
        assert.equal(control.append(5, more, ACT).rev, 6);
        rows[0] = ["client.add", "john", { purged: true }];
        rows[4] = ["client.add", "ann", { ...ann, passwordHash: traceOf(ann.passwordHash) }, true];
      }
      control.close();
    }
  });
});

describe("a database of before there were plans", () => {
  it("is brought forward once, as it is, and refused by an earlier version from then on", async () => {
    const path = join(temporaryFolder(), "aigw.db");
    const earlier = { ...CONTROL_SCHEMA, steps: CONTROL_SCHEMA.steps.slice(0, 3) };
    const john = aClient({ name: "john", limit: 7 });
    createDatabaseFile(path, earlier, (db) => {
      db.run("INSERT INTO meta VALUES ('store_id', 'id'), ('key_check', 'check')");
      appendChange(db, 0, [{ action: "client.add", subject: "john", after: john }], ACT);
    });
    const control = SqliteControl.open(path, 0);
    assert.deepEqual([control.head(), control.client("john"), control.plans()], [1, john, []]);
    const basic = { name: "basic", limit: 5, createdAt: ACT.at };
    control.append(1, [{ action: "plan.add", subject: "basic", after: basic }], ACT);
    control.close();
    assert.throws(
      () => Database.open(path, earlier, 0),
      (error) => isAigwError(error, "store_schema_newer"),
    );
    const again = SqliteControl.open(path, 0);
    assert.deepEqual([again.plan("basic"), (await again.snapshot()).plans.get("basic")], [basic, basic]);
    again.close();
  });
});

describe("usage of before calls were worth anything", () => {
  it("keeps every event and every sum, once migrated, goes on, and is refused by the version before", async () => {
    const { folder, open } = await lived({ worth: false });
    const path = join(folder, "aigw.usage.db");
    const store = open();
    const before = await everythingOf(store);
    await store.close();
    downgradeUsage(path, 5);
    for (let turn = 0; turn < 2; turn += 1) {
      const again = open();
      assert.deepEqual(await everythingOf(again), before);
      await again.close();
    }
    assert.throws(
      () => Database.open(path, olderSchema(5), 0),
      (error) => isAigwError(error, "store_schema_newer") && error.message.includes("Use the newer aigw"),
    );

    const db = Database.open(path, TRAFFIC_SCHEMA, 0);
    const plan = db.all<{ detail: string }>("EXPLAIN QUERY PLAN SELECT max(period) FROM usage_days WHERE client = 'a'");
    assert.match(plan.map(({ detail }) => detail).join(), /usage_days_by_client/);
    const worth = { units: { pages: 2_000_000 }, metered: "yes", from: "answer", cost: 7, plan: "pro" } as const;
    db.close();
    const last = open();
    last.traffic.recordUsage([anEvent({ at: last.traffic.steadyNow(), client: "john", ...worth })]);
    for (let more = true; more; ) ({ more } = last.traffic.foldUsage(1_000));
    const { rows } = last.traffic.usageReport({ by: ["plan"], filter: {} });
    const sums = new Map(rows.map(({ key: [plan], tally }) => [plan, tally]));
    assert.deepEqual([sums.get("pro")?.cost, sums.get("pro")?.units], [7n, new Map([["pages", 2_000_000n]])]);
    assert.deepEqual([sums.get("")?.cost, sums.get("")?.priced, sums.get("")?.units], [0n, 0, new Map()]);
    await last.close();
  });
});

describe("usage of before there were quotas", () => {
  it("keeps all it had, once migrated, takes what quotas count, and is refused by the version before", async () => {
    const { folder, open } = await lived({ worth: false });
    const path = join(folder, "aigw.usage.db");
    const store = open();
    const before = (await everythingOf(store)) as Readonly<Record<string, unknown>>;
    await store.close();
    downgradeUsage(path, 4);
    const again = open();
    assert.deepEqual(await everythingOf(again), { ...before, quotas: undefined });
    const record = { used: { "requests 2027-01": [3, again.traffic.steadyNow() + 1_000] }, holders: {} } as const;
    assert.equal(again.traffic.setQuotaRecord("c_john", 0, record), true);
    assert.deepEqual(again.traffic.quotaRecord("c_john"), { version: 1, record });
    await again.close();
    assert.throws(
      () => Database.open(path, olderSchema(4), 0),
      (error) => isAigwError(error, "store_schema_newer"),
    );
  });
});

describe("usage of before calls waited for a service", () => {
  it("keeps all it had, once migrated, with seals that still fit, and is refused by the version before", async () => {
    const { folder, open } = await lived();
    const path = join(folder, "aigw.usage.db");
    const store = open();
    const before = await everythingOf(store);
    await store.close();
    downgradeUsage(path, 7);
    for (let turn = 0; turn < 2; turn += 1) {
      const again = open();
      assert.deepEqual(await everythingOf(again), before);
      await again.close();
    }
    const last = open();
    const waited = anEvent({ at: last.traffic.steadyNow(), queuedMs: 1_500.25 });
    last.traffic.recordUsage([waited]);
    assert.deepEqual(last.traffic.latestUsage({}, 1).events, [waited]);
    const record = { turn: 1, ahead: {}, holders: {}, holdMs: 0 };
    assert.equal(last.traffic.setQueueRecord("s_ocr", 0, record), true);
    assert.deepEqual(last.traffic.queueRecord("s_ocr"), { version: 1, record });
    await last.close();
    assert.throws(
      () => Database.open(path, olderSchema(7), 0),
      (error) => isAigwError(error, "store_schema_newer"),
    );
  });
});

describe("usage of before there were jobs", () => {
  it("keeps all it had, once migrated, takes jobs, and is refused by the version before", async () => {
    const { folder, open } = await lived();
    const path = join(folder, "aigw.usage.db");
    const store = open();
    const before = await everythingOf(store);
    await store.close();
    downgradeUsage(path, 8);
    const again = open();
    assert.deepEqual(await everythingOf(again), before);
    assert.deepEqual(again.traffic.jobGroups({}), []);
    const job = aJob();
    assert.equal(again.traffic.setJob(0, job), true);
    assert.deepEqual(again.traffic.job(job.id), { version: 1, job });
    await again.close();
    assert.throws(
      () => Database.open(path, olderSchema(8), 0),
      (error) => isAigwError(error, "store_schema_newer"),
    );
  });
});

describe("usage of before there were sums of all clients by day", () => {
  it("reports the same, once migrated, and is refused by the version before", async () => {
    const { folder, open } = await lived();
    const path = join(folder, "aigw.usage.db");
    const store = open();
    const before = await everythingOf(store);
    const byDay = { by: ["day", "service"], filter: {} } as const;
    const { rows } = store.traffic.usageReport(byDay);
    assert.ok(rows.length > 0);
    await store.close();
    downgradeUsage(path, 9);
    const again = open();
    assert.deepEqual(await everythingOf(again), before);
    assert.deepEqual(again.traffic.usageReport(byDay).rows, rows);
    await again.close();
    assert.throws(
      () => Database.open(path, olderSchema(9), 0),
      (error) => isAigwError(error, "store_schema_newer"),
    );
  });
});

describe("usage of before it was folded in several transactions", () => {
  it("reports the same, once migrated, folds on, and is refused by the version before", async () => {
    const { folder, open } = await lived();
    const path = join(folder, "aigw.usage.db");
    const store = open();
    const before = await everythingOf(store);
    await store.close();
    downgradeUsage(path, 10);
    const again = open();
    assert.deepEqual(await everythingOf(again), before);
    while (again.traffic.foldUsage(1_000).more);
    assert.deepEqual(await everythingOf(again), before);
    await again.close();
    assert.throws(
      () => Database.open(path, olderSchema(10), 0),
      (error) => isAigwError(error, "store_schema_newer"),
    );
  });
});

describe("a newer database", () => {
  it("is refused and left as it is", () => {
    const path = newFile(manySteps(4));
    const before = readFileSync(path);
    assert.throws(
      () => Database.open(path, manySteps(3), 0),
      (error) =>
        isAigwError(error, "store_schema_newer") && error.message.includes("version 4") && error.message.includes(path),
    );
    assert.deepEqual(readFileSync(path), before);
  });

  it("that became so while open may be read, not written", async () => {
    const { open, raw } = sqliteFixture();
    const store = open();
    store.control.append(0, [SENDER], ACT);
    const upgrade = raw();
    upgrade.exec("PRAGMA user_version = 99");
    upgrade.close();
    assert.equal(store.control.head(), 1);
    assert.throws(
      () => store.control.append(1, [SENDER], ACT),
      (error) => isAigwError(error, "store_schema_newer"),
    );
    assert.equal(store.control.head(), 1);
    await store.close();
    assert.throws(
      () => open(),
      (error) => isAigwError(error, "store_schema_newer"),
    );
  });
});
