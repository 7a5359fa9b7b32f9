import { spawnSync } from "node:child_process";
import { chmodSync, globSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { NEEDS } from "../test/support/needs.ts";

/**
 * Everything checked: format and lint, import rules, types, then all tests. Stops at the first that fails. Tests that
 * need what npm cannot bring are skipped without it, and the last lines say so; for the names of NEEDS that AIGW_REQUIRE
 * lists, that is a failure.
 */

const root = resolve(import.meta.dirname, "..");
const bin = (name: string): string => join(root, "node_modules", ".bin", name);

const scratch = mkdtempSync(join(tmpdir(), "aigw-tests-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
/** A line for each group of tests that has such a need: see reportNeed(). */
const needs = join(scratch, "needs");
writeFileSync(needs, "");

/**
 * Where tests have their homes: in memory, where the system offers that, for a test waits for a disk most of all.
 * What survives a loss of power no test can tell; what survives a kill is the same in both.
 */
const homes = ((): NodeJS.ProcessEnv => {
  const shared = "/dev/shm";
  const enough = 4 * 2 ** 30;
  try {
    if (process.env["TMPDIR"] !== undefined || process.platform !== "linux") return {};
    const mount = readFileSync("/proc/mounts", "utf8")
      .split("\n")
      .find((line) => line.startsWith(`tmpfs ${shared} `));
    if (mount === undefined || /\bnoexec\b/.test(mount)) return {};
    const { bavail, bsize } = statfsSync(shared);
    if (bavail * bsize < enough) return {};
    // Of this run, so that what a killed test leaves goes with it; open to all as /tmp is, for tests act as other users.
    const folder = mkdtempSync(join(shared, "aigw-"));
    process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
    chmodSync(folder, 0o1777);
    return { TMPDIR: folder };
  } catch {
    return {};
  }
})();

const run = (what: string, command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): void => {
  const started = Date.now();
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    // Children that say `node` must get this Node.
    // A hundred test files load the same sources: compiled once.
    env: {
      ...process.env,
      ...homes,
      NODE_COMPILE_CACHE: join(root, "node_modules/.cache/node-compile"),
      AIGW_TEST_NEEDS: needs,
      PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`,
      ...env,
    },
  });
  if (error) throw error;
  if (status !== 0) {
    process.stderr.write(`\n${what} failed (exit ${status}).\n`);
    reportNotRun();
    process.exit(1);
  }
  process.stdout.write(`${what}: ok, ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
};

/** @returns those of NEEDS for which something was not run */
const reportNotRun = (): string[] => {
  const reports = readFileSync(needs, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { what: string; missing: string | null });
  const notRun = new Map(reports.flatMap(({ what, missing }) => (missing === null ? [] : [[what, missing]])));
  for (const [what, missing] of notRun) process.stdout.write(`\n*** ${what} were NOT RUN: ${missing}. ***\n`);
  return Object.entries(NEEDS)
    .filter(([, what]) => notRun.has(what) || !reports.some((report) => report.what === what))
    .map(([name]) => name);
};

const required = (process.env["AIGW_REQUIRE"] ?? "").split(",").filter((name) => name !== "");
const unknown = required.find((name) => !Object.hasOwn(NEEDS, name));
if (unknown !== undefined) {
  process.stderr.write(`AIGW_REQUIRE: ${unknown} is none of ${Object.keys(NEEDS).join(", ")}.\n`);
  process.exit(1);
}

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 24 || (major === 24 && minor < 21)) {
  process.stderr.write(
    `Node ${process.versions.node} is too old for the tests: run them with \`npx -y pnpm@12.21.0 test\`.\n`,
  );
  process.exit(1);
}

/** Test files, or patterns of them. */
const only = process.argv.slice(2);
if (only.length === 0) {
  run("format and lint", bin("biome"), ["check", "--error-on-warnings", "."]);
  run("import rules", process.execPath, ["scripts/check-imports.ts"]);
}
// Also before single files: the tests start the built command line.
run("types", bin("tsc"), ["-b"]);
// The other folders of test and the examples have a command of their own: see decision 097.
const patterns =
  only.length > 0 ? only : ["packages/*/test/**/*.test.ts", "test/{docs,e2e,onboard}/*.test.ts", "scripts/*.test.ts"];
const tests = patterns.flatMap((pattern) => globSync(pattern, { cwd: root })).sort();
if (tests.length === 0) throw new Error("no tests found");
const mongod = process.env["AIGW_TEST_MONGOD"] ?? "";
/** Four servers take seconds to start: not for single files that have nothing to do with them. */
const onMongodb =
  process.env["AIGW_TEST_ENGINE"] === "mongodb" ||
  tests.some((file) => /mongo/i.test(readFileSync(join(root, file), "utf8")));
if (mongod !== "" && onMongodb && process.env["AIGW_TEST_MONGODB_URI"] === undefined) {
  const { startMongod, startReplicaSet } = await import("../test/support/mongod.ts");
  const [one, set] = await Promise.all([startMongod(mongod), startReplicaSet(mongod)]);
  process.env["AIGW_TEST_MONGODB_URI"] = `mongodb://127.0.0.1:${one.port}/`;
  process.env["AIGW_TEST_MONGODB_SET_URI"] = set.uri("");
}
/** Promises in milliseconds: judged with a core for each, or they would only show how busy the machine is. */
const ALONE = /\/(crash|revocation|proxy-blame|e2e\/hostile-store)\.test\.ts$/;
/** What a file must not have that shares a process: hooks of its own for all tests, other processes, memory to measure. */
const APART = /^(before|after)(Each)?\(|child_process|memoryUsage|from "(\.\.\/)*(test\/)?support\/aigw\.ts"/im;
/** Without a server they are skipped, which takes no process for each. */
const hasMongodb = (process.env["AIGW_TEST_MONGODB_URI"] ?? "") !== "";
/** Those that test a package are short; stories wait. */
const TOGETHER = { packages: 12, test: 4 };
/** What waits longest begins first, or at the end one core would have nothing to do. */
const LONGEST =
  /\/(e2e\/fair-queue|jobs|proof|send|rotation|presence|store-faults|service-switches|e2e\/targets|home-processes|limit|jobs-faults|jobs-callbacks|quotas|workers|every-command|browser\/guide|jobs-restart|readme|packaging|nothing-changes|trust-proxy|restored-tokens|gateway-proof|terminal)\.test\.ts$/;
/**
 * A process for each file takes a fifth of a second before its first test: what runs in the test's own process shares one
 * with others. Their tests still run one after the other.
 *
 * @returns what to run, in Node's order, which is that of the names: modules that import a file or several
 */
const arranged = (files: readonly string[]): readonly string[] => {
  const isLong = (file: string): boolean => LONGEST.test(file);
  const isPackages = (file: string): boolean => file.startsWith("packages/");
  const isShared = (file: string): boolean => {
    if (ALONE.test(file) || (!isPackages(file) && isLong(file))) return false;
    const text = readFileSync(join(root, file), "utf8");
    return !APART.test(text) && !(hasMongodb && /mongo/i.test(text));
  };
  const shared = Object.entries(Object.groupBy(files.filter(isShared), dirname)).flatMap(([folder, those = []]) => {
    const count = Math.ceil(those.length / (isPackages(folder) ? TOGETHER.packages : TOGETHER.test));
    return Array.from({ length: count }, (_, i) => those.filter((_, at) => at % count === i));
  });
  const single = files.filter((file) => !isShared(file)).map((file) => [file]);
  const long = single.filter(([file = ""]) => isLong(file));
  return [...long, ...shared, ...single.filter((one) => !long.includes(one))].map((group, i) => {
    const name = [String(i).padStart(3, "0"), ...group.map((file) => basename(file, ".test.ts"))].join("-");
    const module = join(scratch, `${name}.mjs`);
    const imports = group.map((file) => `await import("${pathToFileURL(join(root, file))}");\n`);
    writeFileSync(
      module,
      `import "${pathToFileURL(join(root, "test/support/test-process.ts"))}";\n${imports.join("")}`,
    );
    return module;
  });
};
const runTests = (what: string, files: readonly string[], atOnce: number, env?: NodeJS.ProcessEnv): void => {
  if (files.length === 0) return;
  const options = [`--test-concurrency=${atOnce}`, "--test-timeout=120000", "--test-reporter=dot"];
  run(what, process.execPath, ["--test", ...options, ...arranged(files)], env);
};
/** The stories that either engine must tell, with homes whose store is a MongoDB database: see test/support/engine.ts. */
const ON_BOTH = /\/(limit|rotation|revocation|usage|concurrency|nothing-changes|fair-queue-gateways)\.test\.ts$/;
runTests(
  "tests",
  tests.filter((file) => !ALONE.test(file)),
  // What waits leaves the cores to the others; what is named, as in test:outside, starts more processes of its own.
  only.length === 0 ? 6 : 4,
);
runTests(
  "tests of promises in milliseconds",
  tests.filter((file) => ALONE.test(file)),
  2,
);
if (only.length === 0 && hasMongodb) {
  const stories = [...tests, "test/outside/concurrency.test.ts"].filter((file) => ON_BOTH.test(file));
  runTests("stories on MongoDB", stories, 2, { AIGW_TEST_ENGINE: "mongodb" });
}
const notRun = reportNotRun().filter((name) => required.includes(name));
if (notRun.length > 0) {
  process.stdout.write(`*** That is a failure here, because AIGW_REQUIRE names ${notRun.join(", ")}. ***\n`);
  process.exit(1);
}
// The servers would keep it alive; whatever ends it ends them.
process.exit(0);
