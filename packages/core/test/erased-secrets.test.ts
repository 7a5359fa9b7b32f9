import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import {
  type ActDeps,
  addClient,
  addService,
  type Client,
  initHome,
  openHome,
  removeClient,
  removeService,
  retireEndedKeys,
  rotateSecret,
  rotateSecretWithGrace,
  setPassword,
  setService,
  setSetting,
} from "@aigw/core";
import { type ChangeDraft, isSettled } from "../src/changes/change.ts";
import { SECRET_SETTINGS, traceOf } from "../src/changes/secrets.ts";
import { SETTING_KEYS, SETTINGS } from "../src/config/settings.ts";
import { SqliteControl } from "../src/store/sqlite/control/control.ts";
import { CONTROL_SCHEMA } from "../src/store/sqlite/control/control-schema.ts";
import { createDatabaseFile } from "../src/store/sqlite/files/create-database-file.ts";
import { aClient, aService, aSigningKey, FixedClock } from "../src/testing/index.ts";
import { temporaryFolder } from "./store-support/folders.ts";
import { sqliteFixture } from "./store-support/sqlite-fixture.ts";

const ACT = { at: 5, actor: "test" };

/** Which of them the files of a folder hold, at whatever place. */
const foundIn = (folder: string, secrets: readonly string[]): readonly string[] =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .flatMap((entry) => {
      const path = join(entry.parentPath, entry.name);
      const bytes = readFileSync(path);
      return secrets.filter((secret) => bytes.includes(secret)).map((secret) => `${entry.name} holds ${secret}`);
    });

const home = async (): Promise<{ deps: ActDeps; folder: string; clock: FixedClock; backup(): Promise<string> }> => {
  const clock = new FixedClock();
  const folder = join(temporaryFolder(), "aigw");
  await initHome({ home: folder, at: clock.now(), actor: "test" });
  const { store, sealer } = await openHome({ home: folder, clock });
  let backups = 0;
  const backup = async (): Promise<string> => {
    const to = temporaryFolder();
    backups += 1;
    await store.backup(join(to, `${backups}.tar`));
    return to;
  };
  return { deps: { store, sealer, clock, actor: "test" }, folder, clock, backup };
};

const sealedHeadersOf = async ({ store }: ActDeps, name: string): Promise<readonly string[]> =>
  ((await store.control.service(name))?.headers ?? []).map(({ sealedValue }) => sealedValue);

describe("a retired secret", () => {
  it("may be any setting that is secret", () => {
    const secret = SETTING_KEYS.filter((key) => SETTINGS[key].secret === true);
    assert.deepEqual([...SECRET_SETTINGS].sort(), secret.sort());
  });

  it("is in no file, no log and no later backup: keys, passwords, headers, settings, removed clients and services", async () => {
    const { deps, folder, backup } = await home();
    const { control } = deps.store;
    const header = (value: string): { readonly name: string; readonly value: string } => ({ name: "X-Api-Key", value });
    await addService(deps, { name: "ocr", url: "http://127.0.0.1:1", headers: [header("one")] });
    await addService(deps, { name: "chat", url: "http://127.0.0.1:2", headers: [header("two")] });
    await addClient(deps, { name: "john" });
    await addClient(deps, { name: "ann" });
    await setSetting(deps, "smtp-password", "three");
    const hashOf = async (name: string): Promise<string> => (await control.client(name))?.passwordHash ?? "";
    const keyNow = async (): Promise<string> => (await control.keyring()).at(-1)?.sealedSecret ?? "";
    const retired = [
      await keyNow(),
      await hashOf("john"),
      await hashOf("ann"),
      ...(await sealedHeadersOf(deps, "ocr")),
      ...(await sealedHeadersOf(deps, "chat")),
      (await control.settings()).get("smtp-password") ?? "",
    ];
    assert.equal(new Set(retired.filter((secret) => secret.length > 20)).size, 6);
    assert.deepEqual(
      [...new Set(foundIn(folder, retired).map((line) => line.split(" holds ")[1]))].sort(),
      [...retired].sort(),
    );

    await rotateSecret(deps);
    await setPassword(deps, "john");
    await setService(deps, "ocr", { headers: [header("four")] });
    await removeService(deps, "chat");
    await setSetting(deps, "smtp-password", "five");
    await removeClient(deps, "ann");
    assert.deepEqual(foundIn(folder, retired), []);
    assert.deepEqual(foundIn(await backup(), retired), []);
    const held = [
      await keyNow(),
      await hashOf("john"),
      ...(await sealedHeadersOf(deps, "ocr")),
      (await control.settings()).get("smtp-password") ?? "",
    ];
    assert.equal(foundIn(folder, held).length, held.length, "what counts is there");
    await deps.store.close();
    assert.deepEqual(foundIn(folder, retired), []);
  });

  it("is gone once its grace is over, with a record of it, once", async () => {
    const { deps, folder, clock, backup } = await home();
    const [first] = await deps.store.control.keyring();
    const secret = first?.sealedSecret ?? "";
    const { rev } = await rotateSecretWithGrace(deps, 600_000);
    assert.equal(await retireEndedKeys(deps), false);
    clock.advance(604_999);
    assert.equal(await retireEndedKeys(deps), false);
    assert.notDeepEqual(foundIn(folder, [secret]), []);
    clock.advance(1);
    assert.deepEqual(await Promise.all([retireEndedKeys(deps), retireEndedKeys(deps)]), [true, false]);
    await deps.store.control.head();
    assert.deepEqual(foundIn(await backup(), [secret]), []);
    const [change] = await deps.store.control.changesAfter(rev, 9);
    assert.deepEqual(
      change?.effects.map(({ action, subject }) => [action, subject]),
      [["secret.retire", first?.kid]],
    );
    assert.deepEqual(
      (await deps.store.control.keyring()).map(({ status }) => status),
      ["retired", "active"],
    );
    await deps.store.close();
  });

  it("is nowhere in a file in which rows moved from page to page", async () => {
    const { open, folder } = sqliteFixture();
    const { control, close } = { control: open().control, close: () => control.close() };
    const hash = (): string => `$argon2id$${randomBytes(40).toString("base64url")}`;
    const clients = Array.from({ length: 1_500 }, (_, index) => aClient({ name: `c${index}`, passwordHash: hash() }));
    const draftOf = (client: Client): ChangeDraft => ({ action: "client.passwd", subject: client.name, after: client });
    const retired = new Set<string>();
    let rev = control.append(0, clients.map(draftOf), ACT).rev;
    for (let turn = 0; turn < 20; turn += 1) {
      const drafts = clients.flatMap((client, index): ChangeDraft[] => {
        if (Math.random() > 0.3) return [];
        retired.add(client.passwordHash);
        const after = { ...client, passwordHash: hash(), note: "n".repeat(Math.floor(Math.random() * 400)) };
        clients[index] = after;
        return [draftOf(after)];
      });
      rev = control.append(rev, drafts, ACT).rev;
    }
    const inFiles = readdirSync(folder).flatMap((name) => [
      ...readFileSync(join(folder, name), "latin1").matchAll(/\$argon2id\$[\w-]{54}/g),
    ]);
    const found = new Set(inFiles.map(([text]) => text));
    assert.deepEqual(
      [...found].filter((text) => retired.has(text)),
      [],
    );
    assert.ok(clients.every(({ passwordHash }) => found.has(passwordHash)));
    close();
  });

  it("leaves the file as soon as a reader is out of the way", async () => {
    const { open, folder, raw } = sqliteFixture();
    const store = open();
    const john = aClient({ name: "john", passwordHash: "$argon2id$canary-1" });
    store.control.append(0, [{ action: "client.add", subject: "john", after: john }], ACT);
    const reader = raw();
    reader.exec("BEGIN; SELECT count(*) FROM effects");
    const start = performance.now();
    const after = { ...john, passwordHash: "$argon2id$canary-2" };
    store.control.append(1, [{ action: "client.passwd", subject: "john", after }], ACT);
    assert.ok(performance.now() - start < 2_000, "a reader is not waited for");
    assert.notDeepEqual(foundIn(folder, ["canary-1"]), []);
    reader.exec("COMMIT");
    reader.close();
    store.upkeep();
    assert.deepEqual(foundIn(folder, ["canary-1"]), []);
    assert.equal(foundIn(folder, ["canary-2"]).length, 1);
    await store.close();
  });
});

describe("a database of the version before", () => {
  it("loses the secrets that were retired in it, from the log and from the file, and nothing else", () => {
    const path = join(temporaryFolder(), "aigw.db");
    const second = { ...CONTROL_SCHEMA, steps: CONTROL_SCHEMA.steps.slice(0, 2) };
    const canary = (name: string): string => `canary-${name}-${randomBytes(12).toString("hex")}`;
    const gone = { key: canary("key"), hash: canary("hash"), header: canary("header"), mail: canary("mail") };
    const held = { key: canary("held-key"), hash: canary("held-hash"), header: canary("held-header") };
    const key = aSigningKey({ sealedSecret: gone.key });
    const next = aSigningKey({ sealedSecret: held.key });
    const john = aClient({ name: "john", passwordHash: gone.hash, note: "stays" });
    const ocr = aService({ name: "ocr", headers: [{ name: "X-Api-Key", sealedValue: gone.header }] });
    const { sealedSecret: _gone, ...retired } = key;
    const rows: readonly ChangeDraft[] = [
      { action: "secret.create", subject: key.kid, after: [key] },
      { action: "client.add", subject: "john", after: john },
      { action: "service.add", subject: "ocr", after: ocr },
      { action: "service.add", subject: "chat", after: { ...ocr, name: "chat" } },
      { action: "config.set", subject: "smtp-password", after: gone.mail },
      { action: "config.unset", subject: "smtp-password", after: null },
      { action: "client.passwd", subject: "john", after: { ...john, passwordHash: held.hash } },
      {
        action: "service.set",
        subject: "ocr",
        after: { ...ocr, headers: [{ name: "X-Api-Key", sealedValue: held.header }] },
      },
      { action: "service.remove", subject: "chat", after: null },
      { action: "secret.rotate", subject: next.kid, after: [{ ...retired, status: "retired" }, next] },
    ];
    createDatabaseFile(path, second, (db) => {
      db.run("INSERT INTO meta VALUES ('store_id', 'id'), ('key_check', 'check')");
      for (const [index, { action, subject, after }] of rows.entries()) {
        db.run("INSERT INTO changes (rev, at, actor) VALUES (?, ?, ?)", index + 1, ACT.at, ACT.actor);
        const sql = "INSERT INTO effects (rev, action, subject, after) VALUES (?, ?, ?, ?)";
        db.run(sql, index + 1, action, subject, JSON.stringify(after));
      }
      db.run("INSERT INTO clients VALUES (?, ?, ?)", "john", john.id, JSON.stringify(rows[6]?.after ?? null));
      db.run("INSERT INTO services VALUES (?, ?)", "ocr", JSON.stringify(rows[7]?.after ?? null));
      db.run("INSERT INTO keyring VALUES (1, ?)", JSON.stringify(rows[9]?.after ?? null));
    });
    const folder = dirname(path);
    assert.equal(foundIn(folder, Object.values(gone)).length, 4);
    for (let turn = 0; turn < 2; turn += 1) {
      const control = SqliteControl.open(path, 0);
      assert.deepEqual(foundIn(folder, Object.values(gone)), []);
      assert.equal(foundIn(folder, Object.values(held)).length, 3);
      const changes = control.changesAfter(0, 99);
      assert.ok(isSettled(changes));
      const effects = changes.flatMap((change) => change.effects);
      assert.deepEqual(
        effects.map(({ action, subject }) => [action, subject]),
        rows.map(({ action, subject }) => [action, subject]),
      );
      for (const index of [5, 6, 7, 8, 9]) assert.deepEqual(effects[index], rows[index]);
      assert.deepEqual(effects[1], {
        action: "client.add",
        subject: "john",
        after: { ...john, passwordHash: traceOf(gone.hash) },
        superseded: true,
      });
      assert.deepEqual(control.keyring(), rows[9]?.after);
      assert.equal(control.client("john")?.passwordHash, held.hash);
      // And goes on as a new one does.
      if (turn === 1) {
        control.append(10, [{ action: "service.remove", subject: "ocr", after: null }], ACT);
        assert.deepEqual(foundIn(folder, [held.header]), []);
      }
      control.close();
    }
  });
});
