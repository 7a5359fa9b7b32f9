import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
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

test("4 commands at once on no home: one of them makes it, and all are done", async (t) => {
  const home = temporaryHome(t);
  const names = ["anna", "bert", "carl", "dora"];
  const results = await Promise.all(names.map((name) => start(home, ["client", "add", name, "-q"]).done));
  for (const result of results) assert.equal(result.code, 0, result.stderr);
  assert.equal(new Set(results.map(({ stdout }) => stdout)).size, names.length);
  assert.equal((await aigw(home, ["client", "list", "-q"])).stdout, `${names.join("\n")}\n`);
  const { keys } = json<{ keys: unknown[] }>(await aigw(home, ["secret", "list", "--json"]));
  assert.equal(keys.length, 1);
});

test("a password that nobody read is a failure", async (t) => {
  const home = temporaryHome(t);
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
