import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { NEEDS, reportNeed } from "../../../test/support/needs.ts";
import { NO_PTY, onPty, type PtyStep } from "../../../test/support/pty.ts";
import { AIGW, aigw, COMPILED, json, temporaryHome } from "./support/harness.ts";

const skip = NO_PTY;

interface Session {
  readonly screen: string;
  readonly stdout: string;
  readonly exitCode: number | null;
}

/** Runs the program on a pseudo-terminal: for each step waits for a text, then types. */
const onTerminal = async (
  home: string,
  argv: readonly string[],
  steps: readonly PtyStep[],
  { pipeStdout = false, env = {} }: { readonly pipeStdout?: boolean; readonly env?: Record<string, string> } = {},
): Promise<Session> => {
  const { output, stdout, exitCode, pressLeft } = await onPty([process.execPath, ...AIGW, ...argv], {
    columns: 100,
    press: steps,
    pipeStdout,
    env: { ...COMPILED, PATH: process.env["PATH"], TERM: "xterm", AIGW_HOME: home, ...env },
    timeoutMs: 40_000,
  });
  assert.deepEqual(pressLeft, [], output);
  return { screen: output, stdout, exitCode };
};

test("a missing name is asked for on stderr, again until it is valid", { skip }, async (t) => {
  const home = temporaryHome(t);
  const session = await onTerminal(
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
    const session = await onTerminal(home, ["client", "revoke", "john"], [["Revoke john?", key]]);
    assert.equal(session.exitCode, 130);
    assert.match(session.screen, /Cancelled\. Nothing was changed\./);
  }
  const { client } = json<{ client: { status: string } }>(await aigw(home, ["client", "show", "john", "--json"]));
  assert.equal(client.status, "active");
  const yes = await onTerminal(home, ["client", "revoke", "john"], [["Revoke john?", "y\r"]], { pipeStdout: true });
  assert.deepEqual(
    [yes.exitCode, yes.stdout],
    [0, "john revoked. No gateway is running; the next one starts with it.\n"],
  );
});

test("what there is a list of is picked from it: arrows, ticks, and a search where it is long", { skip }, async (t) => {
  const home = temporaryHome(t);
  for (const name of ["ann", "bob", "cat"]) await aigw(home, ["client", "add", name, "--email", `${name}@example.com`]);
  const shown = await onTerminal(home, ["client", "show", "-q"], [["Which client?", "\u001b[B\r"]], {
    pipeStdout: true,
  });
  assert.deepEqual([shown.exitCode, shown.stdout], [0, "bob\n"]);
  assert.match(shown.screen, /active, ann@example\.com/, "what is known of the one that the cursor is on");
  const steps = [
    ["Which clients?", "\u001b[B \u001b[B \r"],
    ["Revoke bob and cat?", "y\r"],
  ] as const;
  const revoked = await onTerminal(home, ["client", "revoke"], steps, { pipeStdout: true });
  assert.match(revoked.stdout, /^bob revoked\. .*\ncat revoked\. /);
  const left = await onTerminal(home, ["client", "revoke"], [["Which clients?", "\u0003"]]);
  assert.deepEqual([left.exitCode, /Cancelled\. Nothing was changed\./.test(left.screen)], [130, true]);

  // Thirteen settings are shown; sixteen clients are searched.
  for (let index = 0; index < 14; index += 1) await aigw(home, ["client", "add", `x${index}`, "-q"]);
  const found = await onTerminal(
    home,
    ["client", "show", "-q"],
    [
      ["Which client?", "at"],
      ["cat@example.com", "\r"],
    ],
    { pipeStdout: true },
  );
  assert.deepEqual([found.exitCode, found.stdout], [0, "cat\n"]);
  const free = await onTerminal(
    home,
    ["why"],
    [
      ["or which request id?", "0f8c1d5e"],
      ["❯ 0f8c1d5e", "\r"],
    ],
  );
  assert.match(free.screen, /neither a client '0f8c1d5e' nor a request/);
  const wrong = [
    ["who is to be one?", "No Name"],
    ["❯ No Name", "\r"],
    ["is not valid", "\u0003"],
  ] as const;
  assert.equal((await onTerminal(home, ["onboard", "--no-verify"], wrong)).exitCode, 130, "asked again");
});

test("long text goes through the pager on a terminal, and nowhere else", { skip }, async (t) => {
  const home = temporaryHome(t);
  const help = (PAGER: string | undefined, options: { pipeStdout?: boolean; TERM?: string } = {}): Promise<Session> => {
    const env = {
      ...(PAGER === undefined ? {} : { PAGER }),
      ...(options.TERM === undefined ? {} : { TERM: options.TERM }),
    };
    return onTerminal(home, ["--help", "--no-color"], [], { pipeStdout: options.pipeStdout === true, env });
  };
  const paged = await help("sed s/^/paged:/");
  assert.deepEqual([paged.exitCode, /^paged:Examples:/.test(paged.screen)], [0, true], paged.screen);
  const piped = await help("sed s/^/paged:/", { pipeStdout: true });
  assert.deepEqual([piped.stdout.startsWith("Examples:"), piped.screen], [true, ""]);
  const ANYHOW: readonly (readonly [PAGER: string, TERM?: string])[] = [["cat"], [""], ["sed s/^/paged:/", "dumb"]];
  for (const [PAGER, TERM] of ANYHOW) {
    const { screen, exitCode } = await help(PAGER, TERM === undefined ? {} : { TERM });
    assert.deepEqual([exitCode, screen.startsWith("Examples:"), screen.includes("Documentation:")], [0, true, true]);
  }
  const short = await onTerminal(home, ["client", "list", "--help"], [], { env: { PAGER: "sed s/^/paged:/" } });
  assert.doesNotMatch(short.screen, /paged:/, "it fits");
  const unattended = await onTerminal(home, ["--help", "--no-input"], [], { env: { PAGER: "sed s/^/paged:/" } });
  assert.doesNotMatch(unattended.screen, /paged:/);
  const left = await help("head -n 1");
  assert.deepEqual([left.exitCode, left.screen], [0, "Examples:\r\n"], "leaving early is no error");
  const absent = await help("/no/such/pager");
  assert.deepEqual([absent.exitCode, absent.screen.includes("Documentation:")], [0, true], "as it is, then");

  await aigw(home, ["init"]);
  for (let index = 0; index < 45; index += 1) await aigw(home, ["config", "set", "usage-days", String(index + 1)]);
  const audit = await onTerminal(home, ["audit", "list"], [], { env: { PAGER: "sed s/^/paged:/" } });
  assert.match(audit.screen, /^paged:/);
  const own = await onTerminal(home, ["audit", "list"], [], { env: { PAGER: "env", AIGW_SMTP_PASSWORD: "kestrel" } });
  assert.match(own.screen, /^LESS=FRX\r$/m);
  assert.doesNotMatch(own.screen, /kestrel/);
});

test("who is asked for a file on the terminal is told how it ends", { skip }, async (t) => {
  const home = temporaryHome(t);
  const steps = [["up to Ctrl-D", "name\nann\n\u0004"]] as const;
  const { exitCode, screen } = await onTerminal(
    home,
    ["onboard", "--from", "-", "--create", "--yes", "--no-verify"],
    steps,
  );
  assert.equal(exitCode, 0, screen);
  assert.match(screen, /ann/);
});

const noLess = spawnSync("less", ["--version"]).status === 0 ? skip : "no less on this machine";

test("less: Ctrl-C is less's own, q leaves", { skip: noLess }, async (t) => {
  const { exitCode, screen } = await onTerminal(
    temporaryHome(t),
    ["--help"],
    [
      // It may miss a bell that rings while it writes, and then does not write its prompt anew; and so it may a key.
      [":\u001b[K", "\u0003"],
      ["", "q", 0.3],
      ["", "q", 3],
      ["", "q", 10],
    ],
    {
      env: { LESS: "RX" },
    },
  );
  assert.equal(exitCode, 0, screen);
  assert.match(screen, /Examples:/);
});

test("a password typed at the terminal is not echoed", { skip }, async (t) => {
  const home = temporaryHome(t);
  const session = await onTerminal(
    home,
    ["client", "add", "john", "--password-stdin"],
    [["Password", "Sesame-open-77!\r"]],
  );
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
    const { screen } = await onTerminal(home, ["client", "revoke", "john", ...flags], [["Revoke john?", "n\r"]], {
      env,
    });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is looked for
    assert.doesNotMatch(screen, /\u001b\[[0-9;]*m/);
  }
});

reportNeed(NEEDS.terminal, skip || undefined);
