import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { bearer, send, startEcho, tokenFor } from "../support/http.ts";
import { within } from "../support/until.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), "aigw-packaging-"));
const app = join(folder, "app");
const aigw = join(app, "node_modules/.bin/aigw");
const env = {
  PATH: `${dirname(process.execPath)}:${process.env["PATH"]}`,
  HOME: folder,
  AIGW_HOME: join(folder, "home"),
};

/** pnpm as it runs this test, or the one the README names. */
const pnpm = (args: readonly string[], cwd: string): Promise<unknown> => {
  // A native program since pnpm 12.
  const own = process.env["npm_execpath"];
  return own !== undefined && /pnpm$/.test(own)
    ? run(own, args, { cwd, timeout: 60_000 })
    : run("npx", ["-y", "pnpm@12.21.0", ...args], { cwd, timeout: 60_000 });
};

before(async () => {
  await run(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-b", "packages/cli"], { cwd: ROOT });
  for (const name of ["core", "runtime", "cli"]) {
    await pnpm(["pack", "--pack-destination", folder], join(ROOT, "packages", name));
  }
  mkdirSync(app);
  writeFileSync(join(app, "package.json"), '{"private":true}');
  const tarballs = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
  assert.equal(tarballs.length, 3);
  await run(
    "npm",
    ["install", "--no-audit", "--no-fund", "--ignore-scripts", ...tarballs.map((name) => `../${name}`)],
    {
      cwd: app,
      timeout: 100_000,
    },
  );
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe("the packed packages, installed with plain npm into an empty folder", () => {
  it("hold only what runs: no sources, no tests, no build records", () => {
    const files = readdirSync(join(app, "node_modules/@aigw"), { recursive: true }).map(String);
    assert.ok(files.some((name) => name.endsWith("dist/main.js")));
    assert.deepEqual(
      files.filter((name) => /(\/src\/|\.test\.|tsbuildinfo|(?<!\.d)\.ts$)/.test(name)),
      [],
    );
  });

  it("run: version, init, a client, the gateway, a token, a call", async (t) => {
    assert.match((await run(aigw, ["--version"], { env })).stdout, /^\d+\.\d+\.\d+\n$/);
    await run(aigw, ["init", "--no-input"], { env });
    const echo = await startEcho(t);
    await run(aigw, ["service", "add", "echo", echo.url], { env });
    const password = (await run(aigw, ["client", "add", "john", "-q"], { env })).stdout.trim();
    const gateway = spawn(aigw, ["serve", "--port", "0", "-q"], { env, stdio: ["ignore", "pipe", "ignore"] });
    t.after(() => gateway.kill("SIGKILL"));
    const url = await within(
      "the gateway",
      new Promise<string>((settle) => gateway.stdout.once("data", (text: Buffer) => settle(text.toString().trim()))),
      20_000,
    );
    const token = await tokenFor(url, "john", password);
    assert.equal((await send(`${url}/api/echo`, { headers: bearer(token) })).status, 200);
    const ended = new Promise<number | null>((settle) => gateway.once("exit", settle));
    gateway.kill("SIGTERM");
    assert.equal(await within("the gateway to end", ended), 0);
  });

  it("under a Node that is too old say in one line which is needed", async (t) => {
    const node = await olderNode();
    if (node === undefined) {
      t.skip("NOT RUN: there is no older Node on this machine");
      return;
    }
    const failed = await run(node, [join(app, "node_modules/@aigw/cli/dist/main.js"), "--version"], { env }).catch(
      (error: { code: number; stdout: string; stderr: string }) => error,
    );
    assert.ok("code" in failed);
    assert.equal(failed.code, 1);
    assert.equal(failed.stdout, "");
    assert.match(failed.stderr, /^error: aigw needs Node\.js 24\.21 or later; this is \d+\.\d+\.\d+\.\n$/);
  });
});

const olderNode = async (): Promise<string | undefined> => {
  for (const folderOnPath of (process.env["PATH"] ?? "").split(":")) {
    const node = join(folderOnPath, "node");
    const version = await run(node, ["-p", "process.versions.node"]).then(
      ({ stdout }) => Number.parseInt(stdout, 10),
      () => undefined,
    );
    if (version !== undefined && version < 24) return node;
  }
  return undefined;
};
