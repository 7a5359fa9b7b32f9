import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { tryInstalled } from "../support/installed.ts";

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

const tarballOf = (name: string): string =>
  join(folder, readdirSync(folder).find((file) => file.startsWith(`aigw-${name}-`)) ?? name);

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

  it("have a README, a LICENSE and, of what is to be run, the right to be", async () => {
    for (const name of ["core", "runtime", "cli"]) {
      const list = (await run("tar", ["-tvzf", tarballOf(name)])).stdout.trimEnd().split("\n");
      const files = list.map((line) => line.split(/\s+/).at(-1) ?? "");
      for (const file of ["README.md", "LICENSE", "package.json"]) assert.ok(files.includes(`package/${file}`), file);
      const executable = list.filter((line) => line.startsWith("-rwx")).map((line) => line.split("package/").at(-1));
      assert.deepEqual(executable, name === "cli" ? ["dist/main.js"] : []);
      const manifest = (await run("tar", ["-xzOf", tarballOf(name), "package/package.json"])).stdout;
      assert.doesNotMatch(
        manifest,
        /workspace:|catalog:|src\/|prepack|"(pre|post)?install"/,
        "nothing that only the workspace knows",
      );
    }
    const texts = (
      await run("grep", ["-rlE", "sourceMappingURL", join(app, "node_modules/@aigw")]).catch(() => undefined)
    )?.stdout;
    assert.equal(texts, undefined, "no map that leads out of the package");
    assert.match(readFileSync(join(app, "node_modules/@aigw/cli/dist/main.js"), "utf8"), /^#!\/usr\/bin\/env node\n/);
  });

  it("run: version, init, a client, the gateway, a token, a call", (t) => tryInstalled(t, { aigw, env }));

  it("bring the documents that help leads to", async () => {
    const program = join(app, "node_modules/@aigw/cli/dist/main.js");
    const { stdout } = await run(process.execPath, [program, "onboard", "--help"], { env });
    const page = /^Documentation:\s+(\S+)$/m.exec(stdout)?.[1] ?? "";
    assert.equal(page, realpathSync(join(app, "node_modules/@aigw/cli/docs/onboarding.md")));
    assert.match(readFileSync(page, "utf8"), /^# /);
    assert.equal(existsSync(join(ROOT, "packages/cli/docs")), false, "and the workspace is left as it was");
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
