#!/usr/bin/env node
import module from "node:module";

/** `node:sqlite` without a flag, SQLite ≥ 3.51.3 and TypeScript's output target. */
const OLDEST: readonly [major: number, minor: number] = [24, 21];

/**
 * Of this user's own: in the system's folder for temporary files, which is Node's choice, another user could have put
 * a cache there first, and what is in it is run. Without such a folder start-up takes longer. NODE_COMPILE_CACHE comes
 * before it.
 */
const compileCacheFolder = (): string | undefined => {
  const { XDG_CACHE_HOME, HOME } = process.env;
  const caches = XDG_CACHE_HOME?.startsWith("/") ? XDG_CACHE_HOME : HOME && `${HOME}/.cache`;
  if (!caches || module.getCompileCacheDir() !== undefined) return undefined;
  const folder = `${caches}/aigw`;
  const { existsSync, mkdirSync } = process.getBuiltinModule("node:fs");
  try {
    // Step by step: Node's own way to make a whole path never ends where a folder takes none, as in /proc.
    for (const path of [caches, folder]) if (!existsSync(path)) mkdirSync(path, { mode: 0o700 });
    return folder;
  } catch {
    return undefined;
  }
};

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
  // Nothing else is imported before this: an older Node would fail on it with a stack.
  process.stderr.write(`error: aigw needs Node.js ${OLDEST.join(".")} or later; this is ${process.versions.node}.\n`);
  process.exitCode = 1;
} else {
  const cache = compileCacheFolder();
  if (cache !== undefined) module.enableCompileCache(cache);
  // What asks on the terminal colours by itself, and knows of no flag.
  if (process.argv.includes("--no-color")) process.env["NO_COLOR"] = "1";
  const { run } = await import("./run.ts");
  const { processIo } = await import("./process-io.ts");
  process.exitCode = await run(process.argv.slice(2), processIo());
}
