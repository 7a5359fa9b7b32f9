import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { GATEWAY_OPTIONS } from "../../packages/cli/src/app/gateway-options.ts";
import { AIGW, type Finished } from "../support/aigw.ts";
import { plantCode } from "../support/planted-cache.ts";
import { prepareHome } from "../support/prepared-home.ts";
import { AT_FULL_SIZE, ONLY_AT_FULL_SIZE } from "../support/rounds.ts";
import { within } from "../support/until.ts";

const DIST = dirname(AIGW.at(-1) ?? "");
const IS_ROOT = process.getuid?.() === 0;
const NEIGHBOUR = 61_234;

/** A folder in which a user has a home of his own, and everybody a place for temporary files. */
const machine = (t: TestContext): { user: string; tmp: string; marker: string; caches: string } => {
  const folder = mkdtempSync(join(tmpdir(), "aigw-neighbour-"));
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }));
  chmodSync(folder, 0o755);
  const [user, tmp] = [join(folder, "user"), join(folder, "tmp")];
  mkdirSync(user, { mode: 0o700 });
  mkdirSync(tmp);
  chmodSync(tmp, 0o1777);
  return { user, tmp, marker: join(folder, "marker"), caches: join(user, ".cache") };
};

/** One for each reason to distrust a folder, and a way on which it is found; `test:outside` tries them all. */
const EVERYWHERE = [
  "a folder that all can write",
  "a link into a folder that all can write",
  "his folder of a version",
];

interface Running {
  readonly done: Promise<Finished>;
  /** Resolves with the first line on stdout, or when it ends. */
  readonly ready: Promise<unknown>;
  readonly end: () => void;
}

/** Without what the tests share of compiled code. */
const start = (t: TestContext, args: readonly string[], env: Record<string, string>): Running => {
  const child = spawn(process.execPath, [...AIGW, ...args], { env: { PATH: process.env["PATH"], ...env } });
  t.after(() => child.kill("SIGKILL"));
  let [stdout, stderr] = ["", ""];
  const line = new Promise((settle) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      if (stdout.includes("\n")) settle(stdout);
    });
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const done = new Promise<Finished>((settle) => {
    child.on("close", (code, signal) => settle({ code, signal, stdout, stderr }));
  });
  return { done, ready: Promise.race([line, done]), end: () => child.kill("SIGTERM") };
};

const run = (t: TestContext, args: readonly string[], env: Record<string, string>): Promise<Finished> =>
  within(args.join(" "), start(t, args, env).done, 30_000);

describe("compiled code that a neighbour has laid out is not run", { concurrency: 2 }, () => {
  test("by the workers of serve, whose cache was in the folder for temporary files", ONLY_AT_FULL_SIZE, async (t) => {
    const { user, tmp, marker } = machine(t);
    const planted = join(tmp, "node-compile-cache");
    const made = join(tmp, "made");
    plantCode(made, join(DIST, "workers/run-worker.js"), marker, GATEWAY_OPTIONS);
    // By the neighbour himself where this user may act as him.
    const neighbour = IS_ROOT ? { uid: NEIGHBOUR, gid: NEIGHBOUR } : {};
    execFileSync("cp", ["-r", made, planted], neighbour);
    const { home } = await prepareHome(t);
    const env = { HOME: user, TMPDIR: tmp, AIGW_HOME: home };
    const gateway = start(t, ["serve", "--workers", "2", "--port", "0", "-q"], env);
    await within("the workers", gateway.ready, 20_000);
    gateway.end();
    const { code, stderr } = await gateway.done;
    assert.equal(existsSync(marker), false, "his code was run");
    assert.equal(code, 0, stderr);
    // It is code that would run, in the hands of whoever names the folder.
    await run(t, ["serve", "--workers", "2", "--port", "0"], { ...env, NODE_COMPILE_CACHE: planted });
    assert.equal(existsSync(marker), true);
  });

  test("by a command, in a folder that is his, that he can write, or that he has linked", async (t) => {
    const { user, tmp, marker, caches } = machine(t);
    const cache = join(caches, "aigw");
    const plant = (at: string): void => {
      rmSync(caches, { recursive: true, force: true });
      mkdirSync(caches, { mode: 0o700 });
      plantCode(at, join(DIST, "app/run.js"), marker);
    };
    const versionOf = (at: string): string => join(at, readdirSync(at)[0] ?? "");
    const cases: Record<string, () => void> = {
      "a folder that all can write": () => {
        plant(cache);
        chmodSync(cache, 0o777);
      },
      "a folder that its group can write": () => {
        plant(cache);
        chmodSync(cache, 0o770);
      },
      "a folder below one that all can write": () => {
        plant(cache);
        chmodSync(caches, 0o777);
      },
      "a version's folder that all can write": () => {
        plant(cache);
        chmodSync(versionOf(cache), 0o777);
      },
      "a link into a folder that all can write": () => {
        const open = join(tmp, "open");
        plant(join(open, "cache"));
        chmodSync(open, 0o777);
        symlinkSync("../../tmp/open/cache", cache);
      },
      ...(IS_ROOT && {
        "his folder": () => {
          plant(cache);
          chownSync(cache, NEIGHBOUR, NEIGHBOUR);
        },
        "his folder of all caches": () => {
          plant(cache);
          chownSync(caches, NEIGHBOUR, NEIGHBOUR);
        },
        "his folder of a version": () => {
          plant(cache);
          chownSync(versionOf(cache), NEIGHBOUR, NEIGHBOUR);
        },
        "his link to a folder of ours": () => {
          plant(join(tmp, "ours"));
          symlinkSync(join(tmp, "ours"), join(tmp, "link"));
          execFileSync("chown", ["-h", String(NEIGHBOUR), join(tmp, "link")]);
          symlinkSync(join(tmp, "link"), cache);
        },
      }),
    };
    const { home } = await prepareHome(t);
    for (const [name, prepare] of Object.entries(cases)) {
      if (!AT_FULL_SIZE && !EVERYWHERE.includes(name)) continue;
      prepare();
      const { code, stdout, stderr } = await run(t, ["--version"], { HOME: user });
      assert.equal(existsSync(marker), false, `${name}: his code was run`);
      assert.deepEqual([code, stderr], [0, ""], name);
      assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
      const found = await run(t, ["doctor", "-q"], { HOME: user, AIGW_HOME: home });
      assert.match(found.stdout, /^cache_distrusted$/m, `${name}: doctor says so`);
    }
    plant(cache);
    await run(t, ["--version"], { HOME: user });
    assert.equal(existsSync(marker), true, "what lies in a folder of this user's own is run");
  });

  test("in a folder made for this user alone, code is kept; where there can be none, it works without", async (t) => {
    const { user, tmp, caches } = machine(t);
    await run(t, ["--version"], { HOME: user });
    assert.deepEqual([statSync(caches).mode & 0o777, statSync(join(caches, "aigw")).mode & 0o777], [0o700, 0o700]);
    assert.equal(readdirSync(join(caches, "aigw")).length, 1);
    for (const env of [{ HOME: "/proc/nowhere" }, { HOME: "" }, { XDG_CACHE_HOME: "relative", HOME: "relative" }]) {
      const { code, stderr } = await run(t, ["--version"], { ...env, TMPDIR: tmp });
      assert.deepEqual([code, stderr], [0, ""], JSON.stringify(env));
    }
    assert.deepEqual(readdirSync(tmp), []);
  });
});

test("what a neighbour sees of a running gateway in /proc holds no secret", async (t) => {
  if (!IS_ROOT || process.platform !== "linux") {
    process.stderr.write("NOT RUN: another user's view of /proc needs the right to act as one (root on Linux).\n");
    t.skip("needs the right to act as another user");
    return;
  }
  const { user } = machine(t);
  const masterKey = randomBytes(32).toString("base64url");
  const env = { HOME: user, AIGW_HOME: join(user, "home"), AIGW_MASTER_KEY: masterKey, OCR_KEY: "canary-upstream-key" };
  await run(t, ["service", "add", "ocr", "http://127.0.0.1:9", "--header-env", "X-Api-Key=OCR_KEY"], env);
  const gateway = start(t, ["serve", "--port", "0", "--json"], env);
  const { pid } = (
    JSON.parse(String(await within("the gateway", gateway.ready, 20_000))) as { gateway: { pid: number } }
  ).gateway;
  const neighbour = { uid: NEIGHBOUR, gid: NEIGHBOUR, encoding: "latin1", stdio: "pipe" } as const;
  const look = (name: string): string => execFileSync("cat", [`/proc/${pid}/${name}`], neighbour);
  for (const name of ["environ", "maps", "mem", "auxv"]) assert.throws(() => look(name), /Permission denied/, name);
  assert.throws(() => execFileSync("ls", [`/proc/${pid}/fd`], neighbour), /Permission denied/);
  const open = ["cmdline", "status", "limits", "comm"].map(look).join("\n");
  assert.match(open, /serve/, "he does see how it was called");
  for (const secret of [masterKey, "canary-upstream-key"]) assert.ok(!open.includes(secret));
  gateway.end();
  assert.equal((await within("its end", gateway.done)).code, 0);
});
