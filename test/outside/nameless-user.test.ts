import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { AIGW, type Finished } from "../support/aigw.ts";
import { until, within } from "../support/until.ts";

/** Nobody has it: as in a container that runs under a number of its own. */
const NAMELESS = 61_235;
const IS_ROOT = process.getuid?.() === 0;

const folderFor = (t: TestContext): string => {
  const folder = mkdtempSync(join(tmpdir(), "aigw-nameless-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  if (IS_ROOT) chownSync(folder, NAMELESS, NAMELESS);
  return folder;
};

/** As the nameless user where this one may act as him, with no environment but this. */
const start = (t: TestContext, args: readonly string[], env: Record<string, string>, cwd = "/") => {
  const child = spawn(process.execPath, [...AIGW, ...args], {
    env: { PATH: process.env["PATH"], ...env },
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    ...(IS_ROOT && { uid: NAMELESS, gid: NAMELESS }),
  });
  t.after(() => child.kill("SIGKILL"));
  const text = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (chunk: string) => {
      text[name] += chunk;
    });
  }
  const done = new Promise<Finished>((settle) => {
    child.on("close", (code, signal) => settle({ code, signal, ...text }));
  });
  return { child, text, done: within(args.join(" "), done, 30_000) };
};

const COMMANDS: readonly (readonly string[])[] = [
  ["init"],
  ["config", "list"],
  ["client", "add", "john"],
  ["client", "list"],
  ["service", "add", "ocr", "http://127.0.0.1:9"],
  ["secret", "list"],
  ["onboard", "mary", "--create"],
  ["usage", "report"],
  ["usage", "tail"],
  ["audit", "list"],
  ["review"],
  ["status"],
  ["guide"],
  ["doctor"],
];
const NEEDS_NO_HOME: readonly (readonly string[])[] = [
  ["--version"],
  ["--help"],
  ["help", "environment"],
  ["completion", "bash"],
  ["__complete", "zsh", "client", "show", ""],
];

describe("a user without a name and without HOME", { concurrency: 2 }, () => {
  test("every command works in the home that AIGW_HOME or --home names", async (t) => {
    const folder = folderFor(t);
    const home = join(folder, "home");
    for (const args of COMMANDS) {
      const named: [string[], Record<string, string>] =
        args[0] === "config" ? [["--home", home], {}] : [[], { AIGW_HOME: home }];
      const { code, stderr } = await start(t, [...args, ...named[0]], named[1]).done;
      // A service that is not there is a finding.
      assert.equal(code, args[0] === "doctor" ? 1 : 0, `${args.join(" ")}: ${stderr}`);
      assert.doesNotMatch(stderr, /This is a bug/);
    }
    const gateway = start(t, ["serve", "--workers", "2", "--port", "0", "-q"], { AIGW_HOME: home });
    await until("the gateway", () => gateway.text.stdout.includes("\n") || gateway.child.exitCode !== null);
    gateway.child.kill("SIGTERM");
    assert.equal((await gateway.done).code, 0, gateway.text.stderr);
  });

  test("without a home named, those that need one say what to set", { skip: !IS_ROOT && "needs root" }, async (t) => {
    for (const args of NEEDS_NO_HOME) {
      const { code, stderr } = await start(t, args, {}).done;
      assert.deepEqual([code, stderr], [0, ""], args.join(" "));
    }
    const unset = /^error: Where the data is, is not known: HOME is not set, .* --home <dir>, or AIGW_HOME=<dir>\n$/;
    const relative = /^error: .*: HOME is 'here', which is not an absolute path, .* AIGW_HOME=<dir>\n$/;
    const cases = COMMANDS.map((args, index) => [args, index % 3] as const);
    for (const [args, kind] of [...cases, [["serve", "--port", "0"], 0], [["backup", "/tmp/b"], 1]] as const) {
      const env = [{}, { HOME: "" }, { HOME: "here" }][kind];
      const { code, stdout, stderr } = await start(t, args, env ?? {}).done;
      assert.deepEqual([code, stdout], [2, ""], `${args.join(" ")}: ${stderr}`);
      assert.match(stderr, kind === 2 ? relative : unset, args.join(" "));
    }
  });

  test("a HOME that cannot be used: which, and what to set", { skip: !IS_ROOT && "needs root" }, async (t) => {
    const folder = folderFor(t);
    mkdirSync(join(folder, "closed"), { mode: 0o700 });
    for (const HOME of ["/", join(folder, "closed"), "/proc", "/nowhere/at/all", "/dev/null"]) {
      const { code, stderr } = await start(t, ["init"], { HOME }).done;
      assert.equal(code, 6, `${HOME}: ${stderr}`);
      const home = join(HOME, ".local/share/aigw");
      assert.ok(stderr.startsWith(`error: ${home} cannot be used: `), stderr);
      assert.match(stderr, / Or name another home: --home <dir>, or AIGW_HOME=<dir>\n$/);
    }
  });
});

test("a key file in a folder that is closed to this user", { skip: !IS_ROOT && "needs root" }, async (t) => {
  const folder = folderFor(t);
  const home = join(folder, "home");
  assert.equal((await start(t, ["init"], { AIGW_HOME: home }).done).code, 0);
  assert.equal((await start(t, ["backup", join(folder, "b.tar")], { AIGW_HOME: home }).done).code, 0);
  const restore = ["restore-backup", join(folder, "b.tar"), "--master-key-file", "/root/some/key"];
  const { code, stderr } = await start(t, restore, { AIGW_HOME: join(folder, "other") }).done;
  assert.deepEqual([code, /^error: \/root\/some\/key cannot be read by this user/.test(stderr)], [4, true], stderr);
});

test("a working folder that was removed meanwhile", async (t) => {
  const folder = folderFor(t);
  chmodSync(folder, 0o777);
  const command = `mkdir gone && cd gone && rmdir ../gone && "$0" "$@"`;
  const child = spawn("/bin/sh", ["-c", command, process.execPath, ...AIGW, "client", "add", "john"], {
    env: { PATH: process.env["PATH"], AIGW_HOME: join(folder, "home") },
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const code = await within("the command", new Promise((settle) => child.on("close", settle)), 20_000);
  assert.equal(code, 0, stderr);
});
