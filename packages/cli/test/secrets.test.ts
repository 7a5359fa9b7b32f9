import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { verifyPassword } from "@aigw/core";
import { aigw, json, opened, temporaryHome } from "./support/harness.ts";

const CHOSEN = "Sesame-open-77!";
const KEY = "upstream-key-0a1b2c3d";

test("no hash, sealed value, key, secret or password is in any output", async (t) => {
  const home = temporaryHome(t);
  const env = { OCR_KEY: KEY };
  const outputs: string[] = [];
  const keep = async (...argv: string[]): Promise<void> => {
    for (const flags of [[], ["--json"]]) {
      const { stdout, stderr } = await aigw(home, [...argv, ...flags], { env, stdin: `${CHOSEN}\n` });
      outputs.push(stdout, stderr);
    }
  };
  await aigw(home, ["init"]);
  await keep("client", "add", "john", "--password-stdin", "--note", "n");
  await keep("service", "add", "ocr", "http://127.0.0.1:1", "--header-env", "X-Api-Key=OCR_KEY");
  await keep("service", "set", "ocr", "--header-env", "Authorization=OCR_KEY", "--remove-header", "x-api-key");
  await keep("client", "passwd", "john", "--password-stdin", "--yes");
  await keep("client", "set", "john", "--limit", "7", "--services", "ocr");
  await keep("secret", "rotate", "--yes", "--grace", "1m");
  await keep("client", "revoke", "john", "--yes");
  for (const argv of [
    "client list",
    "client show john",
    "service list",
    "service show ocr",
    "secret list",
    "audit list",
    "config list",
    "status",
    "usage tail",
  ]) {
    await keep(...argv.split(" "));
  }
  await keep("client", "remove", "john", "--yes");

  const { store } = await opened(t, home);
  const keyring = await store.control.keyring();
  const everything = outputs.join("\n");
  assert.doesNotMatch(everything, /argon2|v1\.[\w-]{20}|sealedSecret|sealedValue|passwordHash|"epoch"/);
  for (const secret of [
    CHOSEN,
    KEY,
    readFileSync(join(home, "master.key"), "utf8").trim(),
    ...keyring.map((key) => key.sealedSecret ?? CHOSEN),
  ]) {
    assert.ok(!everything.includes(secret));
  }
});

test("a generated password goes out once, to stdout", async (t) => {
  const home = temporaryHome(t);
  const result = await aigw(home, ["client", "add", "john", "--json"]);
  const { password } = json<{ password: string }>(result);
  assert.equal(result.stdout.split(password).length, 2);
  for (const argv of [
    ["client", "show", "john"],
    ["audit", "list"],
    ["client", "list"],
  ]) {
    assert.ok(!(await aigw(home, [...argv, "--json"])).stdout.includes(password));
  }
});

test("a password typed where none belongs is not repeated", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["client", "add", "john"]);
  for (const argv of [
    ["client", "passwd", "john", "hunter2hunter2"],
    ["client", "add", "x", "--password=hunter2hunter2"],
    ["client", "add", "x", "--password", "hunter2hunter2"],
    ["client", "add", "x", "--passwort='hunter2hunter2'\nhunter2hunter2"],
    ["client", "add", "x", "-phunter2hunter2"],
    ["service", "add", "x", "http://u:hunter2hunter2@127.0.0.1:1"],
    ["service", "add", "x", "http://127.0.0.1:1", "--header-env", "Authorization=Bearer hunter2hunter2"],
    ["service", "add", "x", "http://127.0.0.1:1", "--header-env", "Authorization=hunter2hunter2"],
    ["service", "add", "x", "http://127.0.0.1:1", "--header-env", "Authorization: Bearer hunter2hunter2=="],
    ["service", "add", "x", "http://127.0.0.1:1", "--header-env", "hunter2hunter2"],
  ]) {
    for (const flags of [[], ["--json"]]) {
      const { code, stdout, stderr } = await aigw(home, [...argv, ...flags]);
      assert.equal(code, 2, argv.join(" "));
      assert.doesNotMatch(stdout + stderr, /hunter2/);
    }
  }
  assert.match((await aigw(home, ["client", "add", "x", "--password=y"])).stderr, /--password-stdin/);
});

test("--password-stdin takes one line, strips its end, and refuses nothing, junk and weak words", async (t) => {
  const home = temporaryHome(t);
  const add = (name: string, stdin: string): ReturnType<typeof aigw> =>
    aigw(home, ["client", "add", name, "--password-stdin"], { stdin });
  const plain = await add("a", `${CHOSEN}\n`);
  assert.deepEqual([plain.code, plain.stdout], [0, "a added.\n"]);
  for (const [name, stdin] of [
    ["b", CHOSEN],
    ["c", `${CHOSEN}\r\n`],
    ["d", `${CHOSEN}\nmore\n`],
    ["e", " Leading-blank-99 \n"],
    ["mark", `\ufeff${CHOSEN}\r\n`],
  ] as const) {
    assert.equal((await add(name, stdin)).code, 0, name);
  }
  assert.equal((await aigw(home, ["client", "add", "f", "--password-stdin", "-q"], { stdin: CHOSEN })).stdout, "f\n");
  const asJson = await aigw(home, ["client", "add", "g", "--password-stdin", "--json"], { stdin: CHOSEN });
  assert.equal(json<{ password: null }>(asJson).password, null);
  for (const stdin of ["", "\n", "Kiwi-9\n", "aaaaaaaaaaaaaaaa\n", "x".repeat(9000), "pass\u0007word-Control-9\n"]) {
    const { code, stdout, stderr } = await add("nobody", stdin);
    assert.equal(code, 2);
    assert.equal(stdout, "");
    if (stdin.trim().length > 3) assert.ok(!stderr.includes(stdin.trim()));
  }
  const { store } = await opened(t, home);
  for (const name of ["a", "b", "c", "d", "f", "g", "mark"]) {
    const { passwordHash = "" } = (await store.control.client(name)) ?? {};
    assert.ok(await verifyPassword(passwordHash, CHOSEN), name);
  }
  const { clients } = json<{ clients: { name: string }[] }>(await aigw(home, ["client", "list", "--json"]));
  assert.deepEqual(
    clients.map(({ name }) => name),
    ["a", "b", "c", "d", "e", "f", "g", "mark"],
  );
  const utf16 = await aigw(home, ["client", "add", "nobody", "--password-stdin"], {
    stdin: Buffer.from(`\ufeff${CHOSEN}\r\n`, "utf16le"),
  });
  assert.equal(utf16.code, 2);
  assert.match(utf16.stderr, /--password-stdin: the password is UTF-16, .*Save it as UTF-8/);
  const masked = await aigw(home, ["client", "add", "h", "--password-stdin"], { terminal: 80, answers: [CHOSEN] });
  assert.equal(masked.code, 0);
});
