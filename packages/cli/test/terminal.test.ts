import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { NEEDS, reportNeed } from "../../../test/support/needs.ts";
import { NO_PTY } from "../../../test/support/pty.ts";
import { AIGW, aigw, json, temporaryHome } from "./support/harness.ts";

const skip = NO_PTY;

interface Session {
  readonly screen: string;
  readonly stdout: string;
  readonly exitCode: number;
  readonly stepsLeft: readonly unknown[];
}

/** Runs the program on a pseudo-terminal: for each step waits for a text, then types. */
const onTerminal = (
  home: string,
  argv: readonly string[],
  steps: readonly (readonly [expect: string, send: string])[],
  options: { readonly pipeStdout?: boolean; readonly env?: Record<string, string> } = {},
): Session => {
  const job = { argv: [process.execPath, ...AIGW, ...argv], steps, columns: 100, ...options };
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [join(import.meta.dirname, "support/on-terminal.ts"), JSON.stringify(job)],
    {
      encoding: "utf8",
      timeout: 40_000,
      env: { PATH: process.env["PATH"], TERM: "xterm", AIGW_HOME: home, ...options.env },
    },
  );
  assert.equal(stderr, "");
  const session = JSON.parse(stdout) as Session;
  assert.deepEqual(session.stepsLeft, [], session.screen);
  return session;
};

test("a missing name is asked for on stderr, again until it is valid", { skip }, (t) => {
  const home = temporaryHome(t);
  const session = onTerminal(
    home,
    ["client", "add"],
    [
      ["Username of the new client", "Bad Name\r"],
      ["is not valid", "\u0015anna\r"],
    ],
    { pipeStdout: true },
  );
  assert.equal(session.exitCode, 0);
  assert.match(session.stdout, /^anna\t\S{16,}\r?\n$/);
});

test("Ctrl-C and Ctrl-D at a prompt: 130, and nothing changed", { skip }, async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["client", "add", "john"]);
  for (const key of ["\u0003", "\u0004"]) {
    const session = onTerminal(home, ["client", "revoke", "john"], [["Revoke john?", key]]);
    assert.equal(session.exitCode, 130);
    assert.match(session.screen, /Cancelled\. Nothing was changed\./);
  }
  const { client } = json<{ client: { status: string } }>(await aigw(home, ["client", "show", "john", "--json"]));
  assert.equal(client.status, "active");
  const yes = onTerminal(home, ["client", "revoke", "john"], [["Revoke john?", "y\r"]], { pipeStdout: true });
  assert.deepEqual(
    [yes.exitCode, yes.stdout],
    [0, "john revoked. No gateway is running; the next one starts with it.\n"],
  );
});

test("what there is a list of is picked from it: arrows, ticks, and a search where it is long", { skip }, async (t) => {
  const home = temporaryHome(t);
  for (const name of ["ann", "bob", "cat"]) await aigw(home, ["client", "add", name, "--email", `${name}@example.com`]);
  const shown = onTerminal(home, ["client", "show", "-q"], [["Which client?", "\u001b[B\r"]], { pipeStdout: true });
  assert.deepEqual([shown.exitCode, shown.stdout], [0, "bob\n"]);
  assert.match(shown.screen, /active, ann@example\.com/, "what is known of the one that the cursor is on");
  const steps = [
    ["Which clients?", "\u001b[B \u001b[B \r"],
    ["Revoke bob and cat?", "y\r"],
  ] as const;
  const revoked = onTerminal(home, ["client", "revoke"], steps, { pipeStdout: true });
  assert.match(revoked.stdout, /^bob revoked\. .*\ncat revoked\. /);
  const left = onTerminal(home, ["client", "revoke"], [["Which clients?", "\u0003"]]);
  assert.deepEqual([left.exitCode, /Cancelled\. Nothing was changed\./.test(left.screen)], [130, true]);

  // Thirteen settings are shown; sixteen clients are searched.
  for (let index = 0; index < 14; index += 1) await aigw(home, ["client", "add", `x${index}`, "-q"]);
  const found = onTerminal(
    home,
    ["client", "show", "-q"],
    [
      ["Which client?", "at"],
      ["cat@example.com", "\r"],
    ],
    { pipeStdout: true },
  );
  assert.deepEqual([found.exitCode, found.stdout], [0, "cat\n"]);
  const free = onTerminal(
    home,
    ["why"],
    [
      ["or which request id?", "0f8c1d5e"],
      ["❯ 0f8c1d5e", "\r"],
    ],
  );
  assert.match(free.screen, /neither a client '0f8c1d5e' nor a request/);
});

test("a password typed at the terminal is not echoed", { skip }, (t) => {
  const home = temporaryHome(t);
  const session = onTerminal(home, ["client", "add", "john", "--password-stdin"], [["Password", "Sesame-open-77!\r"]]);
  assert.equal(session.exitCode, 0);
  assert.doesNotMatch(session.screen, /Sesame/);
});

test("prompts keep to --no-color and NO_COLOR", { skip }, async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["client", "add", "john"]);
  for (const [flags, env] of [
    [["--no-color"], {}],
    [[], { NO_COLOR: "1" }],
  ] as const) {
    const { screen } = onTerminal(home, ["client", "revoke", "john", ...flags], [["Revoke john?", "n\r"]], { env });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is looked for
    assert.doesNotMatch(screen, /\u001b\[[0-9;]*m/);
  }
});

reportNeed(NEEDS.terminal, skip || undefined);
