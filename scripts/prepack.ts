import { spawnSync } from "node:child_process";
import { existsSync, globSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";

/**
 * Before a package is packed or published, in its folder: `dist` is what its sources compile to, all of it and nothing
 * else. What is up to date stays untouched, for tests run the same files meanwhile.
 */
const folder = process.cwd();
const root = resolve(import.meta.dirname, "..");

const build = (...args: readonly string[]): void => {
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const { status } = spawnSync(process.execPath, [tsc, "-b", ...args], { cwd: folder, stdio: ["ignore", 2, 2] });
  if (status !== 0) process.exit(1);
};

const sources = globSync("src/**/*.ts", { cwd: folder }).map((path) => path.slice("src/".length, -".ts".length));
const OUTPUTS = [".js", ".d.ts"];
const isComplete = (): boolean =>
  sources.every((path) => OUTPUTS.every((suffix) => existsSync(join(folder, "dist", path + suffix))));

build();
// The compiler goes by its own record, and does not miss a file that somebody has deleted.
if (!isComplete()) build("--force");

const known = new Set(sources.flatMap((path) => OUTPUTS.map((suffix) => path + suffix)));
for (const path of globSync("**/*.*", { cwd: join(folder, "dist") })) {
  // Of a source that is gone, or was compiled with other options.
  if (!known.has(path)) rmSync(join(folder, "dist", path), { recursive: true });
}
