import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { test } from "node:test";
import { EXIT_CODES, EXIT_MEANINGS } from "../src/app/exit-codes.ts";
import { aigw, json, jsonError, type RunOptions, temporaryHome } from "./support/harness.ts";

interface Case {
  readonly name: string;
  readonly argv: readonly string[];
  readonly code: number;
  readonly error: string;
  readonly says: RegExp;
}

/** What homes that are damaged end with: test/e2e/store-damage.test.ts. */
const CASES: readonly Case[] = [
  {
    name: "unknown command",
    argv: ["clinet"],
    code: 2,
    error: "usage",
    says: /unknown command 'clinet'.*Did you mean client\?/,
  },
  {
    name: "unknown verb",
    argv: ["client", "lst"],
    code: 2,
    error: "usage",
    says: /unknown command 'lst'.*Did you mean list\?/,
  },
  { name: "unknown option", argv: ["client", "list", "--al"], code: 2, error: "usage", says: /unknown option '--al'/ },
  { name: "noun alone", argv: ["client"], code: 2, error: "usage", says: /a command is missing/ },
  {
    name: "too many arguments",
    argv: ["client", "show", "a", "b"],
    code: 2,
    error: "usage",
    says: /Expected 1 argument but got 2/,
  },
  {
    name: "missing argument",
    argv: ["client", "show"],
    code: 2,
    error: "usage",
    says: /<name>.*aigw client show <name>/,
  },
  {
    name: "bad value",
    argv: ["client", "add", "x", "--limit", "0"],
    code: 2,
    error: "invalid_value",
    says: /--limit.*'0'.*1 to 10000000/,
  },
  {
    name: "unknown service",
    argv: ["client", "add", "x", "--services", "nope"],
    code: 2,
    error: "invalid_value",
    says: /'nope'/,
  },
  { name: "not found", argv: ["client", "show", "nobody"], code: 3, error: "not_found", says: /'nobody'/ },
  { name: "service not found", argv: ["service", "show", "nope"], code: 3, error: "not_found", says: /'nope'/ },
  {
    name: "exists",
    argv: ["client", "add", "john"],
    code: 5,
    error: "already_exists",
    says: /aigw client passwd john/,
  },
  { name: "no help", argv: ["help", "nope"], code: 2, error: "usage", says: /no help on 'nope'/ },
  {
    name: "no server",
    argv: ["client", "list", "--store", "mongodb://u:hunter2@127.0.0.1:1/x"],
    code: 6,
    error: "store_unavailable",
    says: /No MongoDB server answers at 127\.0\.0\.1:1\./,
  },
];

test("each of them: its code, one line that says why, and nothing on stdout", async (t) => {
  const home = temporaryHome(t);
  assert.equal((await aigw(home, ["client", "add", "john"])).code, 0);
  for (const { name, argv, code, error, says } of CASES) {
    const text = await aigw(home, argv);
    assert.equal(text.code, code, `${name}: ${text.stderr}`);
    assert.equal(text.stdout, "");
    assert.match(text.stderr, says);
    assert.match(text.stderr, /error: [^\n]+\n$/);
    assert.doesNotMatch(text.stderr, /hunter2|\n\s+at /);

    const asJson = await aigw(home, [...argv, "--json"]);
    assert.equal(asJson.code, code);
    assert.equal(asJson.stdout, "");
    assert.deepEqual(Object.keys(JSON.parse(asJson.stderr) as object), ["error"]);
    assert.equal(jsonError(asJson).code, error);
    assert.match(jsonError(asJson).message, says);
  }
});

test("a home that is not initialised is an error for whoever reads, and is left alone", async (t) => {
  const home = temporaryHome(t);
  for (const argv of [
    ["client", "list"],
    ["status"],
    ["usage", "tail"],
    ["audit", "list"],
    ["config", "list"],
    ["secret", "list"],
  ]) {
    const result = await aigw(home, argv);
    assert.equal(result.code, 1);
    assert.match(result.stderr, /aigw init/);
    assert.equal(statSync(home, { throwIfNoEntry: false }), undefined);
  }
});

test("a bug is one line with a reference, and its stack only for who asks", async (t) => {
  const home = temporaryHome(t);
  const failing: RunOptions = {
    clock: {
      now: () => {
        throw new TypeError("secret detail");
      },
      monotonic: () => 0,
    },
  };
  const silent = await aigw(home, ["client", "add", "john"], failing);
  assert.equal(silent.code, 1);
  assert.match(silent.stderr, /^error: This is a bug in aigw \(reference [0-9a-f]{8}\)[^\n]*\n$/);
  assert.doesNotMatch(silent.stderr, /secret detail/);
  const again = await aigw(home, ["client", "add", "john"], failing);
  assert.equal(again.stderr, silent.stderr);
  const loud = await aigw(home, ["client", "add", "john"], { ...failing, env: { AIGW_DEBUG: "1" } });
  assert.match(loud.stderr, /secret detail[^\n]*\n\s+at /);
});

test("help exit-codes prints the table that the program runs on", async (t) => {
  const home = temporaryHome(t);
  const text = await aigw(home, ["help", "exit-codes"]);
  assert.equal(text.code, 0);
  for (const [code, meaning] of Object.entries(EXIT_MEANINGS)) assert.ok(text.stdout.includes(`${code}  ${meaning}`));
  const { exitCodes } = json<{ exitCodes: { exitCode: number; codes: string[] }[] }>(
    await aigw(home, ["help", "exit-codes", "--json"]),
  );
  const listed = exitCodes.flatMap(({ exitCode, codes }) => codes.map((code) => [code, exitCode]));
  assert.deepEqual(Object.fromEntries(listed), EXIT_CODES);
});
