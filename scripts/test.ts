import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** Everything checked: format and lint, import rules, types, then all tests. Stops at the first that fails. */

const root = resolve(import.meta.dirname, "..");
const bin = (name: string): string => join(root, "node_modules", ".bin", name);

const run = (what: string, command: string, args: readonly string[]): void => {
  const started = Date.now();
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    // Children that say `node` must get this Node.
    env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}` },
  });
  if (error) throw error;
  if (status !== 0) {
    process.stderr.write(`\n${what} failed (exit ${status}).\n`);
    process.exit(1);
  }
  process.stdout.write(`${what}: ok, ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
};

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 24 || (major === 24 && minor < 21)) {
  process.stderr.write(
    `Node ${process.versions.node} is too old for the tests: run them with \`npx -y pnpm@12.21.0 test\`.\n`,
  );
  process.exit(1);
}

const only = process.argv.slice(2);
if (only.length === 0) {
  run("format and lint", bin("biome"), ["check", "--error-on-warnings", "."]);
  run("import rules", process.execPath, ["scripts/check-imports.ts"]);
  run("types", bin("tsc"), ["-b"]);
}
const patterns = [
  "packages/*/test/**/*.test.ts",
  "examples/*/test/**/*.test.ts",
  "test/**/*.test.ts",
  "scripts/*.test.ts",
];
const tests = only.length > 0 ? only : patterns.flatMap((pattern) => globSync(pattern, { cwd: root })).sort();
if (tests.length === 0) throw new Error("no tests found");
run("tests", process.execPath, [
  "--test",
  "--test-concurrency=2",
  "--test-timeout=120000",
  "--test-reporter=dot",
  ...tests,
]);
