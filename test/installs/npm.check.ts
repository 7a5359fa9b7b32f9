import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { freePort } from "../../packages/cli/src/workers/free-port.ts";
import { installing } from "../support/documents.ts";
import { send } from "../support/http.ts";
import { printed, tryInstalled } from "../support/installed.ts";
import { until } from "../support/until.ts";
import { KEPT, ROOT, released } from "./support/release.ts";

/**
 * The packages as npm installs them into an empty prefix, under the Nodes that there are, by the lines of
 * docs/install.md; and published by the one command, to a registry of this machine's own. Run by `pnpm installs`.
 */

const folder = mkdtempSync(join(tmpdir(), "aigw-npm-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** From npm, into a folder that the next run finds. @returns its `node_modules` */
const fetched = async (name: string, manifest: object): Promise<string> => {
  const kept = join(KEPT, name);
  if (!existsSync(kept)) {
    mkdirSync(KEPT, { recursive: true });
    // It appears at once or not at all.
    const unfinished = mkdtempSync(join(KEPT, `${name}.`));
    writeFileSync(join(unfinished, "package.json"), JSON.stringify({ private: true, ...manifest }));
    await printed("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: unfinished });
    await printed("mv", ["-T", unfinished, kept]).catch(() => rmSync(unfinished, { recursive: true, force: true }));
  }
  return join(kept, "node_modules");
};

const NEWEST = { package: `node-${process.platform}-${process.arch}`, version: "26.10.0" };

const nodes = async (): Promise<readonly string[]> => {
  const name = NEWEST.package;
  const modules = await fetched(`${name}-${NEWEST.version}`, { dependencies: { [name]: NEWEST.version } });
  return [dirname(process.execPath), join(modules, name, "bin")];
};

const shell = (lines: string, env: Readonly<Record<string, string | undefined>>): Promise<string> =>
  printed("bash", ["-e", "-c", lines], { env, cwd: ROOT, timeoutMs: 110_000 });

const [install = "", uninstall = "", publish = ""] = installing("With npm");

describe("npm, into an empty prefix", () => {
  const environment = (name: string, bin: string, extra: Readonly<Record<string, string>> = {}) => {
    const prefix = join(folder, name);
    mkdirSync(prefix);
    const path = [
      join(prefix, "bin"),
      bin,
      ...(process.env["PATH"] ?? "").split(":").filter((at) => !/node_modules/.test(at)),
    ];
    const { HOME, NODE_EXTRA_CA_CERTS } = process.env;
    return {
      prefix,
      env: {
        PATH: path.join(":"),
        HOME,
        NODE_EXTRA_CA_CERTS,
        npm_config_prefix: prefix,
        AIGW_HOME: join(prefix, "home"),
        ...extra,
      },
    };
  };

  it("the packages as files, under Node 24 and 26, and away again", { timeout: 300_000 }, async (t) => {
    released(".tar.gz");
    for (const bin of await nodes()) {
      const version = (await printed(join(bin, "node"), ["--version"])).trim();
      const { prefix, env } = environment(version, bin);
      assert.match(await shell(install, env), /^\d+\.\d+\.\d+$/m);
      assert.equal((await shell("node --version", env)).trim(), version);
      await tryInstalled(t, { aigw: join(prefix, "bin/aigw"), env });
      await shell(install, env);
      await shell(uninstall, env);
      assert.equal(existsSync(join(prefix, "bin/aigw")), false);
      // npm leaves the scope's empty folder.
      const left = readdirSync(join(prefix, "lib/node_modules"), { recursive: true });
      assert.deepEqual(
        left.filter((name) => name !== "@aigw"),
        [],
      );
      assert.ok(existsSync(join(prefix, "home/aigw.db")), "the data stays");
    }
  });

  describe("from a registry that the one command has published to", () => {
    let registry = "";
    let userconfig = "";
    let stop = (): void => undefined;
    after(() => stop());
    before(
      async () => {
        // One of its dependencies asks for a tag that a mirror need not have.
        const manifest = { dependencies: { verdaccio: "6.10.4" }, overrides: { "node-fetch": "2.7.0" } };
        const modules = await fetched("verdaccio-6.10.4", manifest);
        const config = join(folder, "registry.yaml");
        writeFileSync(
          config,
          `storage: ${join(folder, "storage")}
uplinks: { npmjs: { url: "https://registry.npmjs.org/" } }
packages:
  "@aigw/*": { access: $all, publish: $all }
  "**": { access: $all, proxy: npmjs }
log: { type: stdout, level: error }
`,
        );
        const port = await freePort("127.0.0.1");
        registry = `http://127.0.0.1:${port}/`;
        userconfig = join(folder, "npmrc");
        writeFileSync(userconfig, `registry=${registry}\n//127.0.0.1:${port}/:_authToken=of-this-test\n`);
        const args = [join(modules, "verdaccio/bin/verdaccio"), "-c", config, "-l", `127.0.0.1:${port}`];
        const child = spawn(process.execPath, args, { stdio: "ignore" });
        stop = () => void child.kill("SIGKILL");
        const answers = async (): Promise<boolean> =>
          (await send(`${registry}-/ping`).catch(() => undefined))?.status === 200;
        await until("the registry", answers, 30_000);
      },
      { timeout: 200_000 },
    );

    it("pnpm -r publish, then npm install -g @aigw/cli", { timeout: 200_000 }, async (t) => {
      const { prefix, env } = environment("published", dirname(process.execPath), {
        npm_config_userconfig: userconfig,
        NPM_CONFIG_USERCONFIG: userconfig,
      });
      const dry = await shell(publish.replace("publish", "publish --dry-run --no-git-checks"), env);
      assert.equal([...dry.matchAll(/dry run/g)].length, 3, dry);
      // A clone that is worked in is not clean, which pnpm would mind.
      await shell(publish.replace("publish", "publish --no-git-checks"), env);
      await shell("npm install -g @aigw/cli", env);
      await tryInstalled(t, { aigw: join(prefix, "bin/aigw"), env });
      await shell(uninstall, env);
      assert.equal(existsSync(join(prefix, "bin/aigw")), false);
    });
  });
});
