import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Readable, Writable } from "node:stream";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { run as runCli } from "@aigw/cli";
import { addClient, addPlan, addService, initHome, openHome, systemClock } from "@aigw/core";
import { AIGW, aigw, cleanEnv, temporaryHome } from "../support/aigw.ts";
import { NEEDS, reportNeed } from "../support/needs.ts";
import { NO_PTY, onPty, type PtyStep } from "../support/pty.ts";

const run = promisify(execFile);
const TIMEOUT = { timeout: 30_000, killSignal: "SIGKILL" } as const;

interface Prepared {
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
  /** Where the `aigw` on the PATH notes what it was called with, except for completion. */
  readonly calls: string;
}

const prepared = async (t: TestContext): Promise<Prepared> => {
  const home = temporaryHome(t);
  await initHome({ home, at: Date.now(), actor: "test" });
  const { store, sealer } = await openHome({ home, clock: systemClock });
  const deps = { store, sealer, clock: systemClock, actor: "test" };
  for (const name of ["john", "joanna", "mary"]) await addClient(deps, { name, password: "Kestrel-9-Lantern!" });
  for (const name of ["ocr", "chat"]) await addService(deps, { name, url: "http://127.0.0.1:9" });
  for (const name of ["basic", "pro"]) await addPlan(deps, { name });
  await store.close();
  const bin = join(dirname(home), "bin");
  const calls = join(dirname(home), "calls");
  mkdirSync(bin);
  writeFileSync(
    join(bin, "aigw"),
    `#!/bin/sh\ncase "$1" in __complete|completion) exec '${process.execPath}' ${AIGW.map((arg) => `'${arg}'`).join(" ")} "$@";; esac\nprintf '%s\\n' "$*" >>'${calls}'\n`,
  );
  chmodSync(join(bin, "aigw"), 0o755);
  return {
    home,
    calls,
    env: { ...cleanEnv(home), PATH: `${bin}:${process.env["PATH"]}`, TERM: "xterm", PS1: "READY " },
  };
};

const has = (shell: string): boolean => spawnSync(shell, ["-c", "exit 0"]).status === 0;

/** Programs that npm cannot bring. */
const unless = (shell: string): { readonly skip?: string } =>
  has(shell) ? {} : { skip: `NOT TESTED: there is no ${shell} on this machine (apt-get install ${shell})` };

/** What bash would offer for this line, word by word, under the word breaks that an interactive bash has. */
const inBash = async ({ env }: Prepared, ...lines: readonly string[]): Promise<readonly string[][]> => {
  const script = `
    eval "$(aigw completion bash)"; eval "$(aigw completion bash)"
    COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
    while IFS= read -r COMP_LINE; do
      COMP_POINT=\${#COMP_LINE}
      COMPREPLY=(unset)
      _aigw 2>&1
      printf '%s\\n' "\${COMPREPLY[@]}" ---
    done`;
  const child = run("bash", ["--norc", "-c", script], { env, ...TIMEOUT });
  child.child.stdin?.end(`${lines.join("\n")}\n`);
  const { stdout, stderr } = await child;
  assert.equal(stderr, "");
  return stdout
    .split("---\n")
    .slice(0, -1)
    .map((reply) => reply.split("\n").filter((line) => line !== ""));
};

/** What `aigw __complete` prints for a line in bash; in this process, because starting one for each takes its time. */
const offeredFor = async ({ home }: Prepared, line: string): Promise<readonly string[]> => {
  let text = "";
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  const stderr = new Writable({ write: (chunk: Buffer) => assert.fail(`on stderr: ${chunk.toString()}`) });
  const noAnswer = (): Promise<never> => Promise.reject(new Error("completion asked something"));
  const code = await runCli(["__complete", "bash", line, "=:"], {
    stdin: Readable.from([]),
    stdout,
    stderr,
    env: { AIGW_HOME: home, HOME: dirname(home) },
    cwd: tmpdir(),
    prompter: { input: noAnswer, password: noAnswer, confirm: noAnswer, pick: noAnswer, pickSeveral: noAnswer },
    onStop: () => () => undefined,
  });
  assert.equal(code, 0);
  return text.split("\n").filter((found) => found !== "");
};

test("what is offered: commands, options, and the names in the store", async (t) => {
  const ready = await prepared(t);
  const names = ["joanna", "john", "mary"];
  const expected: Readonly<Record<string, readonly string[]>> = {
    "aigw client re": ["revoke", "restore", "remove"],
    "aigw client show ": names,
    "aigw client show jo": ["joanna", "john"],
    "aigw client show 'jo": ["joanna", "john"],
    "aigw --json client revoke m": ["mary"],
    "aigw --home ~/home client revoke m": ["mary"],
    "aigw onboard ma": ["mary"],
    "aigw onboard --email ma": ["mary"],
    "aigw onboard uns": ["unsent"],
    "aigw onboard unsent send ma": ["mary"],
    "aigw service show ": ["chat", "ocr"],
    "aigw plan set ": ["basic", "pro"],
    "aigw plan add b": [],
    "aigw client set john --plan b": ["basic"],
    "aigw price set o": ["ocr"],
    "aigw audit list --subject ba": ["basic"],
    "aigw service set o": ["ocr"],
    "aigw usage tail --client ": names,
    "aigw usage tail --client=jo": ["joanna", "john"],
    "aigw client set john --services ocr,c": ["ocr,chat"],
    "aigw client set john --lim": ["--limit"],
    "aigw client set john --limit ": [],
    "aigw client add jo": [],
    "aigw client show john ": [],
    "aigw client show -- m": ["mary"],
    "aigw config set supp": ["support-email"],
    "aigw client revoke john m": ["mary"],
    "aigw client rm jo": ["joanna", "john"],
    "aigw client l": ["list"],
    "aigw client list --sta": ["--status"],
    "aigw client list --status re": ["revoked"],
    "aigw client list --status active,re": ["active,revoked"],
    "aigw client list --sort=last": ["last-call"],
    "aigw client list --service o": ["ocr"],
    "aigw client set john --add-service ocr,c": ["ocr,chat"],
    "aigw audit list --action client.re": ["client.rehash", "client.revoke", "client.restore", "client.remove"],
    "aigw audit list --subject s": [
      "support-email",
      "sender-name",
      "smtp-url",
      "smtp-password",
      "smtp-tls",
      "smtp-timeout",
    ],
    "aigw audit list --subject jo": [
      "joanna",
      "jobs-client-size",
      "jobs-folder",
      "jobs-per-client",
      "jobs-size",
      "john",
    ],
    "aigw usage report --by client,st": ["client,status"],
    "aigw usage tail --status 4": ["4xx"],
    "aigw usage export --format c": ["csv"],
    "aigw config set smtp-tls ": ["required", "unverified", "optional"],
    "aigw config set smtp-tls o": ["optional"],
    "aigw config set public-url ": [],
    "aigw config get usage": ["usage-days"],
    "aigw config unset docs-url sender": ["sender-name"],
    "aigw client edit m": ["mary"],
    "aigw vers": ["version"],
    "aigw help exit": ["exit-codes"],
    "aigw completion ": ["bash", "zsh", "fish"],
    "aigw restore-backup --master-key-file x": [":files"],
    "aigw backup ": [":files"],
    "aigw nonsense show ": [],
    "aigw client show --nonsense ": names,
    "aigw --store postgres://x client show jo": [],
    "aigw 'unfinished": [],
  };
  for (const [line, offered] of Object.entries(expected)) {
    assert.deepEqual([...(await offeredFor(ready, line))].sort(), [...offered].sort(), line);
  }
  const top = await offeredFor(ready, "aigw ");
  assert.ok(top.includes("client") && top.includes("doctor") && top.includes("restore-backup"));
  assert.equal(
    top.some((word) => word.startsWith("_")),
    false,
    "hidden stays hidden",
  );
});

test("in bash: nothing is evaluated, and files are left to the shell", async (t) => {
  const ready = await prepared(t);
  const trap = join(dirname(ready.home), "trapped");
  const [clients, joined, trapped, files] = await inBash(
    ready,
    "aigw client show jo",
    "aigw usage tail --client=jo",
    `aigw client show "$(touch ${trap})`,
    "aigw backup x",
  );
  assert.deepEqual(clients, ["joanna", "john"]);
  assert.deepEqual(joined, ["joanna", "john"], "bash replaces what follows the =");
  assert.deepEqual([trapped, files], [[], []]);
  assert.equal(existsSync(trap), false);
});

test("completion writes nothing, and says nothing when something is wrong", async (t) => {
  const ready = await prepared(t);
  const absent = temporaryHome(t);
  const files = (): unknown =>
    readdirSync(ready.home)
      .filter((name) => !/-(wal|shm)$/.test(name))
      .map((name) => [name, statSync(join(ready.home, name)).mtimeMs]);
  const before = files();
  assert.deepEqual(await offeredFor(ready, `aigw --home ${absent} client show jo`), []);
  assert.equal(existsSync(absent), false, "no home is initialised");
  await offeredFor(ready, "aigw client show jo");
  assert.deepEqual(files(), before);

  // A store that somebody tampered with must not put anything on a command line.
  const database = join(ready.home, "aigw.db");
  const db = new DatabaseSync(database);
  for (const name of ["jo$(reboot)", "jo;reboot", "jo\nreboot", "--yes", "Jo"]) {
    db.prepare("INSERT INTO clients VALUES (?, ?, '{}')").run(name, name);
  }
  db.close();
  assert.deepEqual(await offeredFor(ready, "aigw client show "), ["joanna", "john", "mary"]);
  chmodSync(database, 0o644);
  assert.deepEqual(await offeredFor(ready, "aigw client show jo"), []);
  chmodSync(database, 0o600);
  writeFileSync(database, "no database");
  const { code, stdout, stderr } = await aigw(ready.home, ["__complete", "zsh", "client", "show", "jo"]);
  assert.deepEqual([code, stdout, stderr], [0, "", ""]);
});

test("a completion is quick: less than 400 ms of processor time from the sources", async (t) => {
  const ready = await prepared(t);
  // Node strips the types each time; from the built package the same takes 150 ms.
  // User and system time: on a busy machine the clock on the wall says nothing about the program.
  const script = `TIMEFORMAT='%U %S'; for i in 1 2 3; do time aigw __complete fish client show jo >/dev/null; done`;
  const { stderr } = await run("bash", ["-c", script], { env: ready.env, ...TIMEOUT });
  const times = stderr
    .trim()
    .split("\n")
    .map((line) => line.split(" ").reduce((sum, part) => sum + Number(part), 0));
  t.diagnostic(`seconds: ${times.map((time) => time.toFixed(3)).join(" ")}`);
  assert.ok(Math.min(...times) < 0.4, `${times}`);
});

test("bash: Tab at a real prompt", { skip: NO_PTY }, async (t) => {
  const ready = await prepared(t);
  const rc = join(dirname(ready.home), "rc");
  // An interactive bash takes no prompt from the environment.
  writeFileSync(rc, "PS1='READY '\n");
  await typeInto(ready, ["bash", "--noprofile", "--rcfile", rc, "-i"], 'eval "$(aigw completion bash)"\n');
  assert.deepEqual(readFileSync(ready.calls, "utf8").split("\n").slice(0, -1), EXPECTED_CALLS);
});

reportNeed(NEEDS.completion, NO_PTY || unless("zsh").skip || undefined);
test("zsh: Tab at a real prompt", NO_PTY === false ? unless("zsh") : { skip: NO_PTY }, async (t) => {
  const ready = await prepared(t);
  await typeInto(ready, ["zsh", "-f", "-i"], 'autoload -Uz compinit && compinit -D; eval "$(aigw completion zsh)"\n');
  assert.deepEqual(readFileSync(ready.calls, "utf8").split("\n").slice(0, -1), EXPECTED_CALLS);
});

test("fish: what complete -C offers", unless("fish"), async (t) => {
  const { env } = await prepared(t);
  const offered = async (line: string): Promise<readonly string[]> => {
    const script = `aigw completion fish | source; complete -C ${JSON.stringify(line)}`;
    const { stdout, stderr } = await run("fish", ["--no-config", "-c", script], { env, ...TIMEOUT });
    assert.equal(stderr, "");
    return stdout.split("\n").flatMap((found) => (found === "" ? [] : [found.split("\t", 1)[0] ?? ""]));
  };
  const [clients, joined, verbs, absent] = await Promise.all([
    offered("aigw client show jo"),
    offered("aigw usage tail --client=jo"),
    offered("aigw client rev"),
    offered("aigw --home /nonexistent client show jo"),
  ]);
  assert.deepEqual(clients, ["joanna", "john"]);
  assert.deepEqual(joined, ["--client=joanna", "--client=john"]);
  assert.deepEqual(verbs, ["revoke"]);
  assert.deepEqual(absent, []);
});

const EXPECTED_CALLS = ["client show mary", "usage tail --client mary", "service show ocr --json"];

/** Types at a prompt on a pseudo-terminal; every word that Tab completes runs as a command. */
const typeInto = async ({ env, home }: Prepared, argv: readonly string[], setUp: string): Promise<void> => {
  const steps: readonly PtyStep[] = [
    ["READY ", setUp],
    ["READY ", "aigw cli\tsho\tma\t\n"],
    ["READY ", "aigw usa\tta\t--cli\tm\t\n"],
    ["READY ", "aigw serv\b\b\bervi\tsh\to\t--js\t\n"],
    ["READY ", "exit\n"],
  ];
  const typed = { ...env, PROMPT: "READY ", HOME: dirname(home) };
  await onPty(argv, { columns: 80, env: typed, press: steps, timeoutMs: 30_000 });
};
