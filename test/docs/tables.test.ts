import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { FAULTS, type Fault, SETTING_KEYS, SETTINGS, TOKEN_ENDS } from "@aigw/core";
import { ENVIRONMENT } from "../../packages/cli/src/app/environment.ts";
import { EXIT_CODES } from "../../packages/cli/src/app/exit-codes.ts";
import { FINDINGS } from "../../packages/cli/src/doctor/finding.ts";
import { PROBLEMS } from "../../packages/runtime/src/http-errors.ts";
import { TOKEN_ERRORS } from "../../packages/runtime/src/login/credentials.ts";
import { failureOf } from "../../packages/runtime/src/proxy/upstream-failure.ts";
import { aigw, temporaryHome } from "../support/aigw.ts";

const ROOT = resolve(import.meta.dirname, "../..");

/** The rows of the first table behind a heading, cell by cell, without the head. */
const tableIn = (file: string, heading: string): readonly (readonly string[])[] => {
  const text = readFileSync(join(ROOT, "docs", file), "utf8");
  const start = heading === "" ? 0 : text.indexOf(`\n${heading}\n`);
  assert.notEqual(start, -1, `${file} has ${heading}`);
  const table = /\n\|[^\n]*\n\| ---[^\n]*\n((?:\|[^\n]*\n)+)/.exec(text.slice(start))?.[1] ?? "";
  return table
    .trimEnd()
    .split("\n")
    .map((row) =>
      row
        .replace(/^\| | \|$/g, "")
        .split(" | ")
        .map((cell) => cell.trim()),
    );
};

const bare = (cell = ""): string => cell.replaceAll("`", "");

test("docs/errors.md lists every error of the command line with its exit code", () => {
  const documented = tableIn("errors.md", "## Of the command line").map(([code, exit, meaning]) => {
    assert.ok(meaning, `${code} has a meaning`);
    return [bare(code), Number(exit)];
  });
  assert.deepEqual(documented.sort(), Object.entries(EXIT_CODES).sort());
});

test("docs/errors.md lists every problem of the gateway and every error of the token endpoint", () => {
  const problems = tableIn("errors.md", "## Of the gateway").map(([code, status, title, meaning]) => {
    assert.ok(meaning, `${code} has a meaning`);
    return [bare(code), { status: Number(status), title }];
  });
  assert.deepEqual(Object.fromEntries(problems), PROBLEMS);
  const tokenErrors = tableIn("errors.md", "## Of `POST /auth/token`").map(([code, status]) => [
    bare(code),
    Number(status),
  ]);
  assert.deepEqual(Object.fromEntries(tokenErrors), TOKEN_ERRORS);
});

test("docs/errors.md lists every reason why there was no answer, in the program's own words", () => {
  const documented = tableIn("errors.md", "### Reasons").map(([reason, kind, what, remedy]) => [
    bare(reason),
    { kind, what, remedy },
  ]);
  assert.deepEqual(Object.fromEntries(documented), FAULTS);
  const kinds = tableIn("errors.md", "## Why there was no answer").map(([kind = "", answer = ""]) => [
    kind,
    /^\d+ `(\w+)`/.exec(answer)?.[1],
  ]);
  const told = Object.entries(FAULTS).map(([fault, { kind }]) => [
    kind,
    kind === "broken" ? undefined : failureOf(fault as Fault).code,
  ]);
  assert.deepEqual(Object.fromEntries(kinds), Object.fromEntries(told));
});

test("docs/errors.md lists every reason why a token was refused, in the program's own words", () => {
  const documented = tableIn("errors.md", "## Why a token was refused").map(([reason, what, remedy]) => [
    bare(reason),
    { what, remedy },
  ]);
  assert.deepEqual(Object.fromEntries(documented), TOKEN_ENDS);
});

test("docs/doctor.md lists every finding with its level", () => {
  const documented = tableIn("doctor.md", "").map(([code, level]) => [bare(code), level]);
  assert.deepEqual(Object.fromEntries(documented), FINDINGS);
});

test("docs/configuration.md lists exactly the variables and settings that there are", () => {
  const documented = tableIn("configuration.md", "## Environment").flatMap(([names = ""]) =>
    names.split(", ").map(bare),
  );
  assert.deepEqual(documented.sort(), ENVIRONMENT.map(({ name }) => name).sort());
  const settings = tableIn("configuration.md", "## Settings").map(([key]) => bare(key));
  assert.deepEqual(settings.sort(), [...SETTING_KEYS].sort());
});

/** Variables that are passed on or belong to Node. */
const NOT_OURS = new Set(["PATH", "PWD", "NODE_OPTIONS"]);

test("the sources read no variable that is not in the table", () => {
  const known = new Set([...ENVIRONMENT.map(({ name }) => name), ...NOT_OURS]);
  for (const file of globSync("packages/*/src/**/*.ts", { cwd: ROOT })) {
    for (const [, name = ""] of readFileSync(join(ROOT, file), "utf8").matchAll(
      /\benv(?:\[["']|\.)([A-Z][A-Z0-9_]+)/g,
    )) {
      assert.ok(known.has(name), `${file} reads ${name}`);
    }
  }
});

test("aigw help: the topics, in three forms", async (t) => {
  const home = temporaryHome(t);
  const [environment, json, quiet, security, unknown] = await Promise.all([
    aigw(home, ["help", "environment"]),
    aigw(home, ["help", "environment", "--json"]),
    aigw(home, ["help", "environment", "-q"]),
    aigw(home, ["help", "security"]),
    aigw(home, ["help", "nonsense"]),
  ]);
  for (const { name } of ENVIRONMENT) assert.ok(environment.stdout.includes(`\n${name} `), name);
  assert.deepEqual(JSON.parse(json.stdout), { variables: ENVIRONMENT });
  assert.equal(quiet.stdout, `${ENVIRONMENT.map(({ name }) => name).join("\n")}\n`);
  for (const text of ["Never share", "master.key", "aigw backup", "aigw secret rotate", "aigw client passwd"]) {
    assert.ok(security.stdout.includes(text), text);
  }
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /environment, exit-codes, scripting, security/);
  assert.ok(SETTING_KEYS.every((key) => environment.stdout.includes(SETTINGS[key].env)));
});
