import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { anEvent } from "@aigw/core/testing";
import { AIGW, aigw, json, opened, PROCESS_TIMEOUT_MS, start, temporaryHome } from "./support/harness.ts";

test("the program: exit codes, streams, version, signals before anything", async (t) => {
  const home = temporaryHome(t);
  const version = await start(home, ["--version"]).done;
  assert.deepEqual([version.code, /^\d+\.\d+\.\d+\n$/.test(version.stdout), version.stderr], [0, true, ""]);
  const added = await start(home, ["client", "add", "john"]).done;
  assert.equal(added.code, 0, added.stderr);
  assert.match(added.stdout, /^john\t\S+\n$/);
  assert.equal((await start(home, ["client", "add", "john"]).done).code, 5);
  assert.equal((await start(home, ["client", "show", "x"]).done).code, 3);
  assert.equal((await start(home, ["nonsense"]).done).code, 2);
  const piped = await start(home, ["client", "add", "mary", "--password-stdin", "-q"], { stdin: "Sesame-open-77!\n" })
    .done;
  assert.deepEqual([piped.code, piped.stdout], [0, "mary\n"]);
  const closed = await start(home, ["client", "add", "x", "--password-stdin"]).done;
  assert.deepEqual([closed.code, closed.stdout], [2, ""]);
});

test("10 commands at once that add 10 clients to an empty home: all of them are there", async (t) => {
  const home = temporaryHome(t);
  const names = Array.from({ length: 10 }, (_, index) => `client-${index + 10}`);
  const results = await Promise.all(names.map((name) => start(home, ["client", "add", name, "-q"]).done));
  for (const result of results) assert.equal(result.code, 0, result.stderr);
  assert.equal(new Set(results.map(({ stdout }) => stdout)).size, 10);
  const { clients } = json<{ clients: { name: string }[] }>(await aigw(home, ["client", "list", "--json"]));
  assert.deepEqual(
    clients.map(({ name }) => name),
    names,
  );
  const { keys } = json<{ keys: unknown[] }>(await aigw(home, ["secret", "list", "--json"]));
  assert.equal(keys.length, 1);
});

test("10 commands at once that add the same client: one does, 9 say that it exists", async (t) => {
  const home = temporaryHome(t);
  const results = await Promise.all(
    Array.from({ length: 10 }, () => start(home, ["client", "add", "john", "--json"]).done),
  );
  assert.deepEqual(results.map(({ code }) => code).sort(), [0, ...Array.from({ length: 9 }, () => 5)]);
  for (const { code, stdout, stderr } of results) {
    if (code === 5) assert.deepEqual([stdout, /"code":"already_exists"/.test(stderr)], ["", true]);
  }
  const { changes } = json<{ changes: { action: string }[] }>(await aigw(home, ["audit", "list", "--json"]));
  assert.equal(changes.filter(({ action }) => action === "client.add").length, 1);
});

test("a reader that goes away ends a tail quietly, but a password that nobody read is a failure", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["init"]);
  const { store } = await opened(t, home);
  await store.traffic.recordUsage([anEvent({ id: "g.1" })]);
  const tail = start(home, ["usage", "tail", "-f", "--json"]);
  await tail.saw('"g.1"');
  tail.closeStdout();
  let next = 2;
  const feed = setInterval(() => void store.traffic.recordUsage([anEvent({ id: `g.${next++}` })]), 20);
  t.after(() => clearInterval(feed));
  const ended = await tail.done;
  assert.deepEqual([ended.code, ended.stderr], [0, ""]);

  const lost = start(home, ["client", "add", "john"]);
  lost.closeStdout();
  const result = await lost.done;
  assert.equal(result.code, 1);
  assert.match(result.stderr, /could not be written: nobody reads standard output\. .*aigw client passwd john/);
});

test("tail -f ends with 130 on Ctrl-C", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["init"]);
  await (await opened(t, home)).store.traffic.recordUsage([anEvent({ id: "g.1" })]);
  const tail = start(home, ["usage", "tail", "-f", "--json"]);
  await tail.saw('"g.1"');
  tail.kill("SIGINT");
  const ended = await tail.done;
  assert.deepEqual([ended.code, ended.signal, ended.stderr], [130, null, ""]);
});

test("a full disk under stdout is an error, not a stack", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["init"]);
  const child = spawn("/bin/sh", ["-c", '"$0" "$@" client add john >/dev/full', process.execPath, ...AIGW], {
    env: { AIGW_HOME: home, PATH: process.env["PATH"] },
    stdio: ["ignore", "ignore", "pipe"],
    timeout: PROCESS_TIMEOUT_MS,
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const code = await new Promise((settle) => child.on("close", settle));
  assert.equal(code, 1);
  assert.match(stderr, /^error: The password of john is set, but could not be written[^\n]*\n$/);
});

test("commands load only what they need", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["init"]);
  const loaded = async (...argv: string[]): Promise<string> => {
    const { code, stderr } = await start(home, argv, { env: { NODE_DEBUG: "esm" } }).done;
    assert.equal(code, 0);
    return stderr;
  };
  const heavy = /node_modules\/(inquirer|@node-rs\/argon2|jose|hono|undici|pino|cli-table3|chalk)\//;
  assert.doesNotMatch(await loaded("client", "list"), heavy);
  assert.match(await loaded("client", "add", "x"), /@node-rs\/argon2/);
  assert.doesNotMatch(await loaded("--version"), /node_modules\/(commander|inquirer|chalk)\/|core\/src/);
});

const gateway = async (
  t: TestContext,
  home: string,
): Promise<{ url: string; stop: () => void; done: ReturnType<typeof start>["done"] }> => {
  const serve = start(home, ["serve", "--port", "0", "--json", "--drain", "1s"]);
  t.after(async () => {
    serve.kill("SIGTERM");
    await serve.done;
  });
  await serve.saw('"gateway"');
  await serve.saw("gateway started");
  const { gateways } = json<{ gateways: { address: string }[] }>(await aigw(home, ["status", "--json"]));
  return { url: gateways[0]?.address ?? "", stop: () => serve.kill("SIGTERM"), done: serve.done };
};

test("serve runs, is told of changes, refuses a taken port, and drains on SIGTERM", async (t) => {
  const home = temporaryHome(t);
  const running = await gateway(t, home);
  assert.match(running.url, /^http:\/\/127\.0\.0\.1:\d+$/);
  const password = (await aigw(home, ["client", "add", "john", "-q"])).stdout.trim();
  const restored = await aigw(home, ["client", "set", "john", "--limit", "7"]);
  assert.match(restored.stdout, /1 of 1 gateways applied it \(slowest \d+ ms\)/);
  const answer = await fetch(`${running.url}/auth/token`, {
    method: "POST",
    body: new URLSearchParams({ username: "john", password }),
  });
  assert.equal(answer.status, 200);
  const preview = await aigw(home, ["secret", "rotate", "--yes"]);
  assert.match(preview.stdout, /1 of 1 gateways applied it/);

  const taken = await start(home, ["serve", "--port", new URL(running.url).port]).done;
  assert.equal(taken.code, 1);
  assert.equal(taken.stdout, "");
  assert.match(taken.stderr, new RegExp(`error: .*${new URL(running.url).port}.*--port`));

  running.stop();
  const ended = await running.done;
  assert.equal(ended.code, 0);
  const { gateway: facts } = JSON.parse(ended.stdout) as { gateway: Record<string, unknown> };
  assert.deepEqual(Object.keys(facts), ["id", "url", "pid"]);
  assert.equal(facts["url"], running.url);
  for (const line of ended.stderr.trimEnd().split("\n")) {
    if (!line.startsWith("warning:")) assert.equal(typeof JSON.parse(line), "object", line);
  }
  assert.deepEqual(json<{ gateways: unknown[] }>(await aigw(home, ["status", "--json"])).gateways, []);
});

test("serve lets a call under way end on the first signal, and goes at once on the second", async (t) => {
  const home = temporaryHome(t);
  let called = (): void => {};
  const underWay = new Promise<void>((settle) => {
    called = settle;
  });
  const upstream = createServer((_request, response) => {
    response.write("the first part");
    called();
  });
  await new Promise<void>((settle) => upstream.listen(0, "127.0.0.1", settle));
  t.after(() => {
    upstream.closeAllConnections();
    upstream.close();
  });
  const { port } = upstream.address() as AddressInfo;
  await aigw(home, ["service", "add", "endless", `http://127.0.0.1:${port}`]);
  const password = (await aigw(home, ["client", "add", "john", "-q"])).stdout.trim();
  const serve = start(home, ["serve", "--port", "0", "-q", "--drain", "60s"]);
  await serve.saw("\n");
  await serve.saw("gateway started");
  const url =
    json<{ gateways: { address: string }[] }>(await aigw(home, ["status", "--json"])).gateways[0]?.address ?? "";
  const answer = await fetch(`${url}/auth/token`, {
    method: "POST",
    body: new URLSearchParams({ username: "john", password }),
  });
  const { access_token: token } = (await answer.json()) as { access_token: string };
  const call = fetch(`${url}/api/endless`, { headers: { authorization: `Bearer ${token}` } })
    .then((response) => response.text())
    .catch(() => "cut off");
  await underWay;
  serve.kill("SIGTERM");
  await serve.saw("draining");
  // One keystroke may arrive twice; only what comes later is a second wish.
  serve.kill("SIGTERM");
  await delay(400);
  serve.kill("SIGTERM");
  const ended = await serve.done;
  assert.deepEqual([ended.code, ended.stdout], [130, `${url}\n`]);
  assert.equal(await call, "cut off");
});
