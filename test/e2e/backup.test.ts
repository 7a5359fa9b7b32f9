import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { initHome, type OpenedHome, openHome, restoreHome, systemClock, type UsageEvent } from "@aigw/core";
import { aigw, aigwJson, spawnAigw, startGatewayProcess, temporaryHome } from "../support/aigw.ts";
import { login } from "../support/http.ts";
import { AT_FULL_SIZE } from "../support/rounds.ts";
import { until, within } from "../support/until.ts";

const WRITER = resolve(import.meta.dirname, "../support/backup-writer.ts");

const ACT = { at: Date.now(), actor: "test" };

/** What a writer says is stored. */
class Writer {
  readonly clients: string[] = [];
  readonly usage: string[] = [];

  constructor(t: TestContext, home: string, prefix: string) {
    const child = spawn(process.execPath, [WRITER, home, prefix], { stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => child.kill("SIGKILL"));
    let rest = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines)
        (line.startsWith("client ") ? this.clients : this.usage).push(line.replace(/^\w+ /, ""));
    });
  }
}

const withHome = async <T>(home: string, work: (opened: OpenedHome) => Promise<T> | T): Promise<T> => {
  const opened = await openHome({ home, clock: systemClock });
  try {
    return await work(opened);
  } finally {
    await opened.store.close();
  }
};

const eventsOf = (count: number): UsageEvent[] =>
  Array.from({ length: count }, (_, index) => ({
    id: `event-${index}`,
    at: 1_800_000_000_000 + index,
    client: "john",
    service: "ocr",
    method: "POST",
    path: `/${"x".repeat(200)}`,
    status: 200,
    latencyMs: 12,
    bytesIn: 1,
    bytesOut: 2,
    requestId: `request-${index}`,
    outcome: "ok" as const,
  }));

const initialised = async (t: TestContext): Promise<string> => {
  const home = temporaryHome(t);
  await initHome({ home, at: Date.now(), actor: "test" });
  return home;
};

const backedUp = async (t: TestContext): Promise<{ home: string; file: string; key: string }> => {
  const home = await initialised(t);
  const file = join(dirname(home), "backup.tar");
  await withHome(home, ({ store }) => store.backup(file));
  return { home, file, key: join(home, "master.key") };
};

test("the drill: backed up under the writes of three processes and a gateway, restored elsewhere, in use", async (t) => {
  const home = await initialised(t);
  await aigw(home, ["client", "add", "john", "--password-stdin"], { input: "Correct-Horse-9\n" });
  await startGatewayProcess(t, home);
  const writers = ["a", "b", "c"].map((prefix) => new Writer(t, home, prefix));
  await until("every writer to write", () => writers.every(({ usage }) => usage.length > 300));

  const before = { clients: writers.flatMap((w) => w.clients), usage: writers.flatMap((w) => w.usage) };
  const file = join(dirname(home), "backup.tar");
  const { backup, masterKey } = await aigwJson<{
    backup: { clients: number; usageEvents: number; revision: number };
    masterKey: { included: boolean; file: string };
  }>(home, ["backup", file]);
  const during = writers.reduce((sum, { usage }) => sum + usage.length, 0);
  await until("writers go on", () => writers.reduce((sum, { usage }) => sum + usage.length, 0) > during + 300);

  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(masterKey, { included: false, file: join(home, "master.key") });
  assert.deepEqual(
    readdirSync(dirname(home)).filter((name) => name.startsWith("backup.tar")),
    ["backup.tar"],
    "nothing beside it",
  );
  assert.equal(readFileSync(file).includes(readFileSync(join(home, "master.key"), "utf8").trim()), false);

  const elsewhere = temporaryHome(t);
  const restored = await aigw(elsewhere, ["restore-backup", file, "--master-key-file", join(home, "master.key"), "-q"]);
  assert.deepEqual([restored.code, restored.stdout], [0, `${elsewhere}\n`], restored.stderr);
  await withHome(elsewhere, async ({ store }) => {
    assert.deepEqual(await store.integrityCheck(), []);
    assert.deepEqual(await store.traffic.instances(3_600_000), [], "no gateway of the other home");
    const { clients, rev } = await store.control.snapshot();
    assert.equal(rev, backup.revision + 1, "and the change that ends its tokens");
    assert.equal(clients.size, backup.clients);
    for (const name of before.clients) assert.ok(clients.byName(name) !== undefined, `${name} was there before`);
    const { events } = await store.traffic.latestUsage({}, 1_000_000);
    const ids = new Set(events.map(({ id }) => id));
    assert.equal(ids.size, backup.usageEvents);
    assert.equal(before.usage.filter((id) => !ids.has(id)).length, 0, "usage up to the backup");
    for (const { client } of events)
      assert.ok(clients.byName(client) !== undefined, `${client} has usage, so it exists`);
  });
  const gateway = await startGatewayProcess(t, elsewhere);
  assert.equal((await login(gateway.url, "john", "Correct-Horse-9")).status, 200);
  const [last = ""] = before.clients.slice(-1);
  const [prefix, round] = last.split("-");
  assert.equal((await login(gateway.url, last, `Kestrel-${prefix}-${round}-Lantern!`)).status, 200);
});

test("killed at any moment, a backup is whole or not there, and an older one is as it was", async (t) => {
  const home = await initialised(t);
  await withHome(home, ({ store }) => store.traffic.recordUsage(eventsOf(25_000)));
  const folder = dirname(home);
  const older = join(folder, "older.tar");
  writeFileSync(older, "an older backup");
  assert.equal((await aigw(home, ["backup", older])).code, 5);
  assert.equal(readFileSync(older, "utf8"), "an older backup");

  let whole = 0;
  for (const [round, afterMs] of (AT_FULL_SIZE ? [15, 80, 2_000] : [15, 2_000]).entries()) {
    const file = join(folder, `backup-${round}.tar`);
    const { child, done } = spawnAigw(home, ["backup", file]);
    // From the first trace of the copying on, so that the machine's speed matters less.
    await until("the copying to begin", () => readdirSync(folder).some((name) => name.includes(`backup-${round}.tar`)));
    await Promise.race([delay(afterMs), done]);
    child.kill("SIGKILL");
    await within("the end", done);
    if (!existsSync(file)) continue;
    whole += 1;
    const { facts } = await restoreHome({
      ...ACT,
      home: temporaryHome(t),
      file,
      masterKeyFile: join(home, "master.key"),
    });
    assert.equal(facts.usageEvents, 25_000);
  }
  assert.ok(whole >= 1, "the last one had the time it needs");
  t.diagnostic(`whole: ${whole}`);

  const file = join(folder, "cancelled.tar");
  const { child, done } = spawnAigw(home, ["backup", file]);
  await until("the copying to begin", () => readdirSync(folder).some((name) => name.includes("cancelled.tar.new-")));
  child.kill("SIGINT");
  const { code, stderr } = await within("the end", done);
  assert.deepEqual([code, stderr], [130, "Cancelled. Nothing was written.\n"]);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.includes("cancelled")),
    [],
  );
});

test("a killed restoration leaves a home that nobody uses, and the same command finishes it", async (t) => {
  const { home, file, key } = await backedUp(t);
  await withHome(home, ({ store }) => store.traffic.recordUsage(eventsOf(25_000)));
  const large = join(dirname(home), "large.tar");
  await withHome(home, ({ store }) => store.backup(large));
  for (const afterMs of AT_FULL_SIZE ? [10, 80] : [10]) {
    const target = temporaryHome(t);
    const { child, done } = spawnAigw(target, ["restore-backup", large, "--master-key-file", key]);
    await until("the note", () => existsSync(join(target, ".restore-pending")) || existsSync(join(target, "aigw.db")));
    await Promise.race([delay(afterMs), done]);
    child.kill("SIGKILL");
    await within("the end", done);
    if (existsSync(join(target, "aigw.db"))) continue;
    const refused = await aigw(target, ["client", "add", "eve"]);
    assert.equal(refused.code, 4, refused.stderr);
    assert.match(refused.stderr, /Run it again: aigw restore-backup/);
    const { facts } = await restoreHome({ ...ACT, home: target, file: large, masterKeyFile: key });
    assert.equal(facts.usageEvents, 25_000);
    await withHome(target, async ({ store }) => {
      assert.deepEqual(await store.integrityCheck(), []);
      assert.equal((await store.control.latestChanges({ limit: 1 }))[0]?.effects[0]?.action, "secret.restore");
    });
    assert.equal(existsSync(join(target, ".restore-pending")), false);
  }

  // Killed between the two files: what was placed is set aside, not lost.
  const target = temporaryHome(t);
  mkdirSync(target, { mode: 0o700 });
  writeFileSync(join(target, ".restore-pending"), "999999999\n");
  writeFileSync(join(target, "aigw.usage.db"), "placed already", { mode: 0o600 });
  copyFileSync(key, join(target, "master.key"));
  chmodSync(join(target, "master.key"), 0o600);
  await restoreHome({ ...ACT, home: target, file });
  assert.equal(readdirSync(target).filter((name) => name.startsWith("aigw.usage.db.cut-")).length, 1);
});

test("what cannot be restored leaves nothing, and says why", async (t) => {
  const { home, file, key } = await backedUp(t);
  const folder = dirname(home);
  const bytes = readFileSync(file);
  const variant = (name: string, content: Uint8Array): string => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
  const altered = Buffer.from(bytes);
  altered.writeUInt8(altered.readUInt8(8_000) ^ 1, 8_000);
  const other = join(folder, "other.key");
  writeFileSync(other, `${Buffer.alloc(32, 7).toString("base64url")}\n`, { mode: 0o600 });
  const refusals: readonly (readonly [code: string, file: string, key: string | undefined])[] = [
    ["store_corrupt", variant("altered.tar", altered), key],
    ["store_corrupt", variant("short.tar", bytes.subarray(0, 40_000)), key],
    ["store_corrupt", variant("manifest-only.tar", bytes.subarray(0, 1_024)), key],
    ["invalid_value", variant("empty.tar", Buffer.alloc(0)), key],
    ["invalid_value", variant("text.tar", Buffer.from("x".repeat(5_000))), key],
    ["invalid_value", folder, key],
    ["store_schema_newer", variant("newer.tar", newer(bytes)), key],
    ["store_unavailable", join(folder, "absent.tar"), key],
    ["master_key_wrong", file, other],
    ["master_key_missing", file, join(folder, "absent.key")],
    ["master_key_missing", file, undefined],
  ];
  for (const [code, from, masterKeyFile] of refusals) {
    const target = temporaryHome(t);
    await assert.rejects(restoreHome({ ...ACT, home: target, file: from, masterKeyFile }), { code }, from);
    assert.deepEqual(readdirSync(dirname(target)), [], `${code}: nothing is left`);
  }
  await assert.rejects(restoreHome({ ...ACT, home, file, masterKeyFile: key }), { code: "already_exists" });

  const keyed = temporaryHome(t);
  mkdirSync(keyed, { mode: 0o700 });
  copyFileSync(key, join(keyed, "master.key"));
  chmodSync(join(keyed, "master.key"), 0o600);
  await restoreHome({ ...ACT, home: keyed, file });
  const environment = temporaryHome(t);
  const masterKey = readFileSync(key, "utf8").trim();
  const restored = await restoreHome({ ...ACT, home: environment, file, masterKey });
  assert.equal(restored.key, "environment");
  assert.deepEqual(readdirSync(environment).sort(), ["aigw.db", "aigw.usage.db"]);
});

test("backups are refused where they would harm, and a damaged store makes none", async (t) => {
  const { home, file } = await backedUp(t);
  const folder = dirname(home);
  await withHome(home, async ({ store }) => {
    await assert.rejects(store.backup(file), { code: "already_exists" });
    await assert.rejects(store.backup(join(folder, "absent", "x.tar")), { code: "invalid_value" });
    await store.traffic.recordUsage(eventsOf(2_000));
  });
  const path = join(home, "aigw.usage.db");
  const bytes = readFileSync(path);
  bytes.fill(0xa5, bytes.length >> 1, (bytes.length >> 1) + 8_192);
  writeFileSync(path, bytes);
  const damaged = join(folder, "damaged.tar");
  await withHome(home, ({ store }) => assert.rejects(store.backup(damaged), { code: "store_corrupt" }));
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith("damaged")),
    [],
  );
});

/** The same archive with a manifest of version 2. */
const newer = (bytes: Buffer): Buffer =>
  Buffer.from(bytes.toString("latin1").replace('"version": 1', '"version": 2'), "latin1");
