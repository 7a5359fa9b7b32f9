import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { addClient, systemClock } from "@aigw/core";
import { displayWidth } from "../src/terminal/output/width.ts";
import { everyCommand } from "./support/commands.ts";
import { aigw, json, opened, temporaryHome } from "./support/harness.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is looked for
const ANSI = /\u001b\[[0-9;]*m/g;
const BOX = /[─-╿]/;

test("stdout has the data and nothing else; notes go to stderr", async (t) => {
  const home = temporaryHome(t);
  const added = await aigw(home, ["client", "add", "john"]);
  assert.match(added.stdout, /^john\t\S{16,}\n$/);
  assert.match(added.stderr, /initialised now/);
  assert.match(added.stderr, /only time/);
  assert.ok(!added.stderr.includes(added.stdout.trim().split("\t")[1] ?? "?"));

  const list = await aigw(home, ["client", "list"]);
  assert.match(list.stdout, /^NAME +STATUS .*\njohn +active .*\n$/);
  assert.equal(list.stderr, "");
  const empty = await aigw(home, ["service", "list"]);
  assert.deepEqual([empty.code, empty.stdout], [0, ""]);
  assert.match(empty.stderr, /no service yet/);
});

test("-q prints the one thing a script wants", async (t) => {
  const home = temporaryHome(t);
  const password = (await aigw(home, ["-q", "client", "add", "john"])).stdout;
  assert.match(password, /^\S{16,}\n$/);
  assert.equal((await aigw(home, ["client", "add", "mary", "-q", "--services", "all"])).stderr, "");
  assert.equal((await aigw(home, ["client", "list", "-q"])).stdout, "john\nmary\n");
  assert.match((await aigw(home, ["secret", "rotate", "-qy"])).stdout, /^k_\w{12}\n$/);
  assert.equal((await aigw(home, ["client", "revoke", "john", "--yes", "--quiet"])).stdout, "john\n");
});

test("JSON has every documented field, in every state", async (t) => {
  const home = temporaryHome(t);
  const added = json<{ client: Record<string, unknown>; password: string }>(
    await aigw(home, ["client", "add", "john", "--json", "--email", "j@example.com", "--expires", "2999-01-31"]),
  );
  assert.deepEqual(Object.keys(added), ["client", "password"]);
  const { id, createdAt, passwordChangedAt, provenAt: _proven, ...facts } = added.client;
  assert.match(String(id), /^c_/);
  assert.match(String(createdAt), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.equal(passwordChangedAt, createdAt);
  assert.deepEqual(facts, {
    name: "john",
    email: "j@example.com",
    displayName: null,
    note: null,
    plan: null,
    services: null,
    limit: 60,
    quotas: null,
    weight: 1,
    expiresAt: "2999-02-01T00:00:00.000Z",
    status: "active",
    revokedAt: null,
  });
  const revoked = json<{ client: { status: string; revokedAt: string }; changed: boolean; receipt: unknown }>(
    await aigw(home, ["client", "revoke", "john", "--json", "--yes"]),
  );
  assert.equal(revoked.client.status, "revoked");
  assert.ok(Date.parse(revoked.client.revokedAt) > 0);
  assert.deepEqual([revoked.changed, revoked.receipt], [true, { rev: 3, gateways: [], complete: true }]);

  await aigw(home, ["service", "add", "ocr", "http://127.0.0.1:1", "--header-env", "X-Key=KEY"], { env: { KEY: "v" } });
  const { services } = json<{ services: Record<string, unknown>[] }>(await aigw(home, ["service", "list", "--json"]));
  const { id: _id, createdAt: _at, ...service } = services[0] ?? {};
  assert.deepEqual(service, {
    name: "ocr",
    url: "http://127.0.0.1:1",
    targets: [{ url: "http://127.0.0.1:1", weight: 1, state: "unknown", since: null, openCalls: 0, reason: null }],
    disabled: null,
    fallback: null,
    health: null,
    concurrency: null,
    queue: null,
    queueWaitMs: null,
    connectTimeoutMs: 10_000,
    idleConnectionMs: 4_000,
    maxHeadBytes: 16_384,
    ca: null,
    clientCert: null,
    serverName: null,
    hostHeader: "target",
    encodedSlash: "refuse",
    via: true,
    timeoutMs: 60_000,
    idleTimeoutMs: 300_000,
    headers: ["X-Key"],
    corsOrigins: null,
    description: null,
    example: null,
    docsUrl: null,
    meter: null,
    askUsage: false,
    reserve: null,
    prices: [],
    jobs: null,
  });
  for (const argv of [
    ["status"],
    ["audit", "list"],
    ["config", "list"],
    ["secret", "list"],
    ["client", "list"],
    ["usage", "tail"],
    ["--version"],
  ]) {
    const result = await aigw(home, [...argv, "--json"]);
    assert.equal(result.code, 0);
    assert.equal(result.stderr, "");
    if (result.stdout !== "") assert.equal(result.stdout, `${JSON.stringify(JSON.parse(result.stdout))}\n`);
  }
});

test("global options work before and after the command", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["client", "add", "john"]);
  for (const argv of [
    ["--json", "client", "list"],
    ["client", "--json", "list"],
    ["client", "list", "--json"],
    ["--home", home, "client", "list", "--json", "--no-color", "--no-input"],
  ]) {
    assert.equal(json<{ clients: unknown[] }>(await aigw(home, argv)).clients.length, 1);
  }
  const elsewhere = await aigw(home, ["client", "list", "--home", `${home}-other`]);
  assert.equal(elsewhere.code, 1);
  const badStore = await aigw(home, ["client", "list", "--store", "nonsense"]);
  assert.deepEqual([badStore.code, /^error: --store: /.test(badStore.stderr)], [2, true]);
});

test("colour: terminal, pipe, NO_COLOR, FORCE_COLOR, --no-color, TERM=dumb", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["client", "add", "john"]);
  const coloured = async (
    terminal: boolean,
    env: Record<string, string> = {},
    ...flags: string[]
  ): Promise<boolean> => {
    const result = await aigw(home, ["client", "list", ...flags], { env, ...(terminal ? { terminal: 100 } : {}) });
    assert.doesNotMatch(result.stdout, BOX);
    return result.stdout.search(ANSI) >= 0;
  };
  assert.equal(await coloured(true), true);
  assert.equal(await coloured(false), false);
  assert.equal(await coloured(true, { NO_COLOR: "1" }), false);
  assert.equal(await coloured(true, { NO_COLOR: "" }), true);
  assert.equal(await coloured(true, { TERM: "dumb" }), false);
  assert.equal(await coloured(true, {}, "--no-color"), false);
  assert.equal(await coloured(false, { FORCE_COLOR: "1" }), true);
  assert.equal(await coloured(true, { FORCE_COLOR: "0" }), false);
  assert.equal(await coloured(true, { FORCE_COLOR: "1", NO_COLOR: "1" }), false);
  const error = await aigw(home, ["client", "show", "x", "--no-color"], { terminal: 80 });
  assert.equal(error.stderr.search(ANSI), -1);
});

test("tables fit the terminal, whatever it is", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["client", "add", "a".repeat(64), "--email", `${"e".repeat(100)}@example.com`]);
  await aigw(home, ["client", "add", "wide", "--display-name", "日本語クライアント"]);
  for (const columns of [20, 40, 60, 80, 120, 200]) {
    for (const argv of [
      ["client", "list"],
      ["audit", "list"],
      ["secret", "list"],
      ["config", "list"],
    ]) {
      const { stdout } = await aigw(home, argv, { terminal: columns });
      for (const line of stdout.replace(ANSI, "").split("\n")) {
        const isAlone = /^ *\S+$/.test(line) && !line.includes("…");
        assert.ok(displayWidth(line) <= columns || isAlone, `${argv.join(" ")} at ${columns}: ${line}`);
      }
    }
  }
  assert.match((await aigw(home, ["client", "list"])).stdout, new RegExp(`${"e".repeat(100)}@example.com`));
});

test("control characters in stored text never reach the terminal", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["init"]);
  const { store, sealer } = await opened(t, home);
  const evil = "x\u001b[2J\u0007\u009b31m\u202e\r\ny";
  const deps = { store, sealer, clock: systemClock, actor: `me${evil}` };
  await addClient(deps, { name: "mallory", displayName: evil, note: evil, email: evil });
  await store.traffic.recordUsage([
    {
      id: "i.1",
      at: Date.now(),
      client: evil,
      service: evil,
      method: evil,
      path: evil,
      status: 200,
      latencyMs: 1,
      bytesIn: 0,
      bytesOut: 0,
      requestId: evil,
      outcome: "ok",
    },
  ]);
  for (const argv of [
    ["client", "list"],
    ["client", "show", "mallory"],
    ["audit", "list"],
    ["usage", "tail"],
    ["usage", "tail", "-q"],
    ["onboard", "mallory", "-y"],
    ["onboard", "mallory", "-y", "--email"],
    ["client", "show", `mal${evil}`],
  ]) {
    for (const flags of [[], ["--json"]]) {
      const { stdout, stderr } = await aigw(home, [...argv, ...flags], { terminal: 300, env: { NO_COLOR: "1" } });
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
      assert.doesNotMatch(stdout + stderr, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/, argv.join(" "));
    }
  }
  const shown = json<{ client: { note: string } }>(await aigw(home, ["client", "show", "mallory", "--json"]));
  assert.equal(shown.client.note, evil);
});

test("every help starts with two examples at least, and opens nothing", async (t) => {
  const home = temporaryHome(t);
  const commands = everyCommand();
  assert.ok(commands.length > 40, `${commands.length}`);
  for (const path of [[], ...commands]) {
    const result = await aigw(home, [...path, "--help"]);
    assert.equal(result.code, 0);
    assert.equal(result.stderr, "");
    const [, examples = ""] = /^Examples:\n([\s\S]*?)\n\nUsage: aigw/.exec(result.stdout) ?? [];
    const lines = examples.split("\n").filter((line) => /^ {2}\S/.test(line));
    assert.ok(lines.length >= 2, `${path.join(" ")}: ${result.stdout}`);
    for (const line of lines) assert.match(line, /aigw/);
    assert.equal((await aigw(home, ["help", ...path])).stdout, result.stdout);
    const parent = await aigw(home, [...path.slice(0, -1), "--help"]);
    if (path.length > 0) assert.match(parent.stdout, new RegExp(`^  ${path.at(-1)}\\b`, "m"), "its parent lists it");
  }
  assert.equal(existsSync(home), false);
});
