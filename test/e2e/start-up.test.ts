import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { getHeapStatistics } from "node:v8";
import { AIGW, cleanEnv, startGatewayProcess, temporaryHome } from "../support/aigw.ts";
import { send } from "../support/http.ts";
import { prepareHome } from "../support/prepared-home.ts";

/** Names on stderr what was loaded, a URL a line, and what Node itself had to find, after the word `found`. */
const WATCH = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from "node:module";
  const loaded = [];
  registerHooks({
    load: (url, context, next) => { loaded.push(url); return next(url, context); },
    resolve: (name, context, next) => { loaded.push("found " + name); return next(name, context); },
  });
  process.on("exit", () => process.stderr.write(loaded.join("\\n")));
`)}`;

/** The same of Node's own modules, by the names that Node has for them. */
const WATCH_BUILTIN = `data:text/javascript,${encodeURIComponent(`
  process.on("exit", () => process.stderr.write("builtin " + process.moduleLoadList.join("\\nbuiltin ")));
`)}`;

const watched = async (home: string, args: readonly string[]): Promise<readonly string[]> => {
  const { stderr } = await promisify(execFile)(process.execPath, ["--import", WATCH, ...AIGW, ...args], {
    env: cleanEnv(home),
    timeout: 30_000,
  });
  return stderr.split("\n");
};

const loadedBy = async (home: string, args: readonly string[]): Promise<readonly string[]> =>
  (await watched(home, args)).filter((line) => !line.startsWith("found "));

const packagesOf = (urls: readonly string[]): readonly string[] => [
  ...new Set(
    urls.map((url) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1]).filter((name) => name !== undefined),
  ),
];

describe("a command loads what it needs", () => {
  it("aigw --version: a handful of files of the command line", async (t) => {
    const loaded = await loadedBy(temporaryHome(t), ["--version"]);
    assert.deepEqual(packagesOf(loaded), []);
    assert.ok(loaded.length < 12, loaded.join("\n"));
  });

  it("aigw client list -q: no verb but list, nothing of usage, no package but commander", async (t) => {
    const { home } = await prepareHome(t, { clients: { john: {} } });
    const loaded = await loadedBy(home, ["client", "list", "-q"]);
    assert.deepEqual(packagesOf(loaded), ["commander"]);
    const forbidden =
      /\/core\/dist\/(index|acts|onboarding|insight|usage|limits)\b|traffic|\/client\/(add|show|set)\.js/;
    assert.deepEqual(
      loaded.filter((url) => forbidden.test(url)),
      [],
    );
    assert.ok(loaded.length < 90, `${loaded.length} modules`);
    // With the last calls, what reads them beside it.
    const withCalls = await loadedBy(home, ["client", "list"]);
    assert.deepEqual(packagesOf(withCalls), ["commander"]);
    assert.ok(!withCalls.some((url) => /\/core\/dist\/(index|acts|onboarding|insight)\b/.test(url)));
  });

  it("aigw status: Node is not asked where our own files are, only the packages and the first of them", async (t) => {
    const { home } = await prepareHome(t);
    const lines = await watched(home, ["status"]);
    const found = lines.filter((line) => /^found \./.test(line));
    assert.ok(lines.filter((line) => /\/dist\//.test(line)).length > 80, lines.join("\n"));
    const own = found.filter(
      (line) => !/^found \.\/(lib\/)?(argument|command|error|help|option|suggestSimilar)\.js$/.test(line),
    );
    assert.ok(own.length < 5, own.join("\n"));
  });

  it("aigw client add: what hashes a password beside it, and no server, prompt or table", async (t) => {
    const { home } = await prepareHome(t);
    const loaded = packagesOf(await loadedBy(home, ["client", "add", "john"]));
    assert.ok(loaded.includes("@node-rs/argon2"), loaded.join());
    const forbidden = /^(inquirer|@inquirer\/.*|jose|hono|@hono\/.*|cli-table3|chalk|nodemailer)$/;
    assert.deepEqual(
      loaded.filter((name) => forbidden.test(name)),
      [],
    );
  });

  it("aigw serve: no router, no fetch and no TLS before somebody opens a page", async (t) => {
    const { home } = await prepareHome(t);
    const loadedAfter = async (paths: readonly string[]): Promise<readonly string[]> => {
      const { url, child, done } = await startGatewayProcess(t, home, [], {
        NODE_OPTIONS: `--import=${WATCH_BUILTIN}`,
      });
      for (const path of paths) assert.equal((await send(`${url}${path}`)).status, 200, path);
      child.kill("SIGTERM");
      const { stderr } = await done;
      return stderr.split("\n").filter((line) => line.startsWith("builtin "));
    };
    const costly = /internal\/deps\/undici|NativeModule _?(tls|http2)/;
    const idle = await loadedAfter(["/health", "/ready"]);
    assert.ok(idle.includes("builtin NativeModule http"), idle.join());
    assert.deepEqual(
      idle.filter((line) => costly.test(line)),
      [],
    );
    assert.ok((await loadedAfter(["/guide"])).some((line) => costly.test(line)));
  });

  it("aigw serve: as the same process with a small heap and no inspector, unless its size was chosen", async (t) => {
    const { home } = await prepareHome(t);
    const optionsOf = async (...args: Parameters<typeof startGatewayProcess>): Promise<readonly string[]> => {
      const { pid, child } = await startGatewayProcess(...args);
      assert.equal(pid, child.pid);
      const options = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      child.kill("SIGKILL");
      return options.filter((option) => /semi|old-space|expose|sigusr1/.test(option));
    };
    const [young, old] = ["--max-semi-space-size=8", "--max-old-space-size=2000"];
    const ever = ["--expose-gc", "--disable-sigusr1"];
    // A small machine's own bound is lower, and stays.
    const isLarge = getHeapStatistics().heap_size_limit > 2_000 * 2 ** 20;
    const bound = isLarge ? [old] : [];
    assert.deepEqual(await optionsOf(t, home, [], { NODE_OPTIONS: "" }), [young, ...bound, ...ever]);
    for (const chosen of ["--max-old-space-size=700", "--max_old_space_size_percentage=20"]) {
      assert.deepEqual(await optionsOf(t, home, [], { NODE_OPTIONS: chosen }), [young, ...ever]);
    }
    const chosen = { NODE_OPTIONS: "--max_semi_space_size=32" };
    assert.deepEqual(await optionsOf(t, home, [], chosen), [...bound, ...ever]);
  });
});
