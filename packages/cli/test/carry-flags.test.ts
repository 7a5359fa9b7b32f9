import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { carryFlags } from "../src/app/carry-flags.ts";
import { createContext } from "../src/app/context.ts";
import { createProgram } from "../src/app/program.ts";
import { aigw, json, temporaryHome } from "./support/harness.ts";

const PLACE = { home: "/srv/ai gw", store: "sqlite:/srv/x.db" };

test("a command in a sentence gets the flags that this one had, and nothing else does", () => {
  const flags = "--home '/srv/ai gw' --store sqlite:/srv/x.db";
  const CASES: readonly (readonly [given: string, carried: string])[] = [
    ["aigw client restore john", `aigw ${flags} client restore john`],
    ["start it: aigw serve; see aigw status", `start it: aigw ${flags} serve; see aigw ${flags} status`],
    ["aigw usage tail -f, or aigw top", `aigw ${flags} usage tail -f, or aigw ${flags} top`],
    ["use the newer aigw that wrote it", "use the newer aigw that wrote it"],
    ["another aigw answers there", "another aigw answers there"],
    ["aigw restore-backup <file> --home <dir>", "aigw restore-backup <file> --home <dir>"],
    [
      "look: aigw client list; or: aigw restore-backup f --home d",
      `look: aigw ${flags} client list; or: aigw restore-backup f --home d`,
    ],
  ];
  for (const [given, carried] of CASES) {
    assert.equal(carryFlags(given, PLACE), carried);
    assert.equal(carryFlags(given, {}), given);
    assert.equal(carryFlags(given, { home: "" }), given);
  }
  assert.equal(carryFlags("aigw serve", { home: "it's" }), `aigw --home 'it'\\''s' serve`);
});

test("it knows every command that there is", async (t) => {
  const streams = { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr };
  const io = { ...streams, env: {}, cwd: temporaryHome(t), prompter: undefined as never, onStop: () => () => {} };
  const ctx = createContext(io, () => ({ input: false, color: false }));
  const { commands } = await createProgram(ctx, []);
  assert.ok(commands.length > 15);
  for (const command of commands) {
    assert.equal(carryFlags(`aigw ${command.name()}`, { home: "/h" }), `aigw --home /h ${command.name()}`);
  }
});

test("findings, notes and errors name the home that they are about", async (t) => {
  const other = temporaryHome(t);
  const home = join(dirname(other), "the home");
  mkdirSync(other);
  const run = (argv: readonly string[], options = {}): ReturnType<typeof aigw> =>
    aigw(other, ["--home", home, ...argv], options);
  await run(["init"]);
  await run(["client", "add", "john"]);
  const named = `aigw --home '${home}'`;
  const why = json<{ findings: { command: string }[] }>(await run(["why", "john", "--json"]));
  for (const { command } of why.findings) assert.ok(command.startsWith(`${named} `), command);
  assert.ok(
    (await run(["why", "john"], { terminal: 60, env: { NO_COLOR: "1" } })).stdout.includes(
      `\n  ${named} onboard john --email\n`,
    ),
    "whole",
  );
  assert.ok((await run(["review"])).stdout.includes(`${named} onboard john --email`));
  assert.ok((await run(["doctor"])).stdout.includes(`${named} serve`));
  assert.ok(
    (await run(["doctor"], { terminal: 60, env: { NO_COLOR: "1" } })).stdout.includes(`${named} serve\n`),
    "whole",
  );
  assert.ok(
    (await run(["client", "show", "jon"])).stderr.includes(`Did you mean john? List them: ${named} client list`),
  );
  assert.ok((await run(["service", "list"])).stderr.includes(`${named} service add`));
  // The environment's home needs no flag.
  assert.ok((await aigw(home, ["client", "show", "jon"])).stderr.includes("List them: aigw client list"));
});

test("whatever a command says, the next one is about the same home", async (t) => {
  const other = temporaryHome(t);
  const home = join(dirname(other), "the home");
  mkdirSync(other);
  const named = `--home '${home}'`;
  await aigw(other, ["--home", home, "init"]);
  await aigw(other, ["--home", home, "config", "set", "trust-proxy", "127.0.0.1"]);
  let told = 0;
  for (const argv of [
    ["client", "list"],
    ["client", "show", "nobody"],
    ["client", "revoke"],
    ["service", "list"],
    ["service", "add", "ocr", "http://127.0.0.1:1"],
    ["service", "remove", "orc", "--yes"],
    ["client", "add", "john", "--expires", "2999-01-01", "--services", "ocr"],
    ["client", "add", "mary", "--services", "nope"],
    ["client", "set", "john"],
    ["client", "set", "john", "--remove-service", "ocr"],
    ["client", "set", "john", "--services", "all"],
    ["client", "set", "john", "--add-service", "ocr"],
    ["client", "remove", "john"],
    ["client", "revoke", "john", "--yes"],
    ["client", "passwd", "john", "--yes"],
    ["client", "restore"],
    ["onboard", "john", "--yes"],
    ["onboard", "jane"],
    ["onboard", "jane", "--create", "--send"],
    ["onboard", "unsent", "send", "jane"],
    ["onboard", "unsent", "list"],
    ["config", "get", "smtp-password"],
    ["config", "get", "trust-proxy"],
    ["config", "set", "smtp-password", "x"],
    ["config", "set", "smtp-url", "smtp://u@127.0.0.1:1"],
    ["config", "set", "public-url", "http://ai.example.com"],
    ["guide"],
    ["status"],
    ["doctor"],
    ["review"],
    ["why", "john"],
    ["why", "nobody"],
    ["usage", "tail", "--client", "nobody"],
    ["usage", "prune"],
    ["secret", "rotate"],
    ["backup"],
    ["backup", join(home, "aigw.db")],
    ["restore-backup", join(home, "aigw.db")],
    ["serve", "--port", "0", "--tls-cert", "/nowhere"],
    ["clinet"],
    ["client", "--nonsense"],
    ["help", "nonsense"],
  ]) {
    for (const options of [{}, { terminal: 100, env: { NO_COLOR: "1" } }]) {
      const { stdout, stderr } = await aigw(other, ["--home", home, ...argv], options);
      const text = `${stdout}${stderr}`.replaceAll(/restore-backup [^\n]* --home <dir>/g, "");
      for (const [, rest = ""] of text.matchAll(/\baigw ((?:--|[a-z])\S*[^\n]*)/g)) {
        // "this version of aigw reads", "aigw onboard's trial": no command.
        if (
          !/^(?:--home|init|config|serve|client|service|secret|onboard|usage|top|why|review|audit|guide|status|doctor|backup|completion)\b(?!')/.test(
            rest,
          )
        )
          continue;
        told += 1;
        assert.ok(rest.startsWith(named), `${argv.join(" ")}: aigw ${rest}`);
      }
    }
  }
  assert.ok(told > 60, `${told}`);
});
