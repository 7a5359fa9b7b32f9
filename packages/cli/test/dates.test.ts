import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setClient, systemClock } from "@aigw/core";
import { aigw, json, jsonError, opened, temporaryHome } from "./support/harness.ts";

/** The command's first words, and the flag that takes a time. */
const TIMES: readonly (readonly [argv: readonly string[], flag: string])[] = [
  [["usage", "report"], "--since"],
  [["usage", "report"], "--until"],
  [["usage", "export"], "--since"],
  [["usage", "export"], "--until"],
  [["usage", "tail"], "--since"],
  [["why", "john"], "--since"],
  [["client", "add", "mary"], "--expires"],
  [["client", "set", "john"], "--expires"],
];

test("a date that does not exist is an error of every flag that takes one: the flag, the value, what is allowed", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["client", "add", "john"]);
  const before = json<{ changes: unknown[] }>(await aigw(home, ["audit", "list", "--json"])).changes.length;
  for (const [argv, name] of TIMES) {
    for (const value of ["2026-11-31", "2026-02-29", "2026-11-31T10:00:00Z", "2027-01-31T24:00:00Z", "10000-01-01"]) {
      const { code, stdout, stderr } = await aigw(home, [...argv, name, value, "--json"]);
      const about = `${argv.join(" ")} ${name} ${value}: ${stdout}${stderr}`;
      assert.deepEqual([code, stdout], [2, ""], about);
      const { code: error, message } = jsonError({ code, stdout, stderr });
      assert.equal(error, "invalid_value", about);
      assert.ok(message.startsWith(`${name}: `) && message.includes(`'${value}'`), about);
      assert.match(message, /use .*2027-01-31T18:00:00Z/, about);
      if (value.startsWith("2026")) assert.match(message, /there is no such day/, about);
    }
  }
  const after = json<{ changes: unknown[] }>(await aigw(home, ["audit", "list", "--json"])).changes.length;
  assert.equal(after, before, "nothing was changed");
});

test("so it is in a file of people, with its line", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["init"]);
  const file = join(home, "people.csv");
  writeFileSync(file, "name,expires\nanna,2026-11-31\nbob,2027-02-29\ncarl,9999-12-31\n");
  const { code, stderr } = await aigw(home, ["onboard", "--from", file, "--yes"]);
  assert.equal(code, 2, stderr);
  assert.match(stderr, /line 2: .*'2026-11-31' is not valid: there is no such day/);
  assert.match(stderr, /line 3: .*'2027-02-29' is not valid: there is no such day/);
  assert.doesNotMatch(stderr, /line 4/);
});

test("9999-12-31 is the last day that can be written, and is printed as it is", async (t) => {
  const home = temporaryHome(t);
  const expires = async (name: string): Promise<unknown> =>
    json<{ client: { expiresAt: string } }>(await aigw(home, ["client", "show", name, "--json"])).client.expiresAt;
  assert.equal((await aigw(home, ["client", "add", "john", "--expires", "9999-12-31"])).code, 0);
  assert.equal(await expires("john"), "9999-12-31T23:59:59.999Z");
  // As an earlier aigw stored it.
  const stored = await opened(t, home);
  await setClient({ ...stored, clock: systemClock, actor: "test" }, "john", { expiresAt: Date.UTC(10_000, 0, 1) });
  assert.equal(await expires("john"), "9999-12-31T23:59:59.999Z");
  const five = /\b\+?0?1\d{4}-/;
  for (const argv of [
    ["client", "show", "john"],
    ["client", "list"],
    ["audit", "list"],
  ]) {
    for (const flags of [[], ["--json"]]) {
      const { stdout } = await aigw(home, [...argv, ...flags]);
      assert.match(stdout, /9999-12-31T23:59:59\.999Z/, argv.join(" "));
      assert.doesNotMatch(stdout, five, argv.join(" "));
    }
  }
  const template = join(home, "template.txt");
  writeFileSync(template, "{{password}} until {{expires}}\n");
  const email = ["--email", "--to", "john@example.com", "--template", template, "--no-verify", "--yes"];
  assert.match((await aigw(home, ["onboard", "john", ...email])).stdout, / until 9999-12-31$/m);
  const file = join(home, "people.csv");
  writeFileSync(file, "name,expires\njohn,9999-12-31\n");
  const again = await aigw(home, ["onboard", "--from", file, "--yes", "--no-verify"]);
  assert.equal(again.code, 0, again.stderr);
  const period = await aigw(home, ["usage", "report", "--until", "9999-12-31T23:59:59.999Z", "--json"]);
  assert.equal(json<{ until: string }>(period).until, "9999-12-31T23:59:59.999Z");
  assert.equal((await aigw(home, ["client", "add", "mary", "--expires", "9999-12-31T23:30:00-01:00"])).code, 2);
  const first = await aigw(home, ["usage", "report", "--until", "1970-01-01", "--json"]);
  assert.equal(json<{ since: string }>(first).since, "1970-01-01T00:00:00.000Z");
});
