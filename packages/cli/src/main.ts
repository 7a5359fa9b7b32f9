#!/usr/bin/env node

// Else Node opens its inspector to every user of this machine, beside the master key. For good: see shut-diagnostics.ts.
process.on("SIGUSR1", () => undefined);

/** `node:sqlite` without a flag, SQLite ≥ 3.51.3 and TypeScript's output target. */
const OLDEST: readonly [major: number, minor: number] = [24, 21];

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
  // Nothing else is imported before this: an older Node would fail on it with a stack.
  process.stderr.write(`error: aigw needs Node.js ${OLDEST.join(".")} or later; this is ${process.versions.node}.\n`);
  process.exitCode = 1;
} else {
  const isLong = process.argv.includes("serve");
  const onlyReads = ["help", "--help", "-h"].some((word) => process.argv.includes(word));
  // What lives long is looked at even if no option asks for it: a signal may have come before the line above.
  if (isLong || /--(inspect|report)/.test(`${process.execArgv} ${process.env["NODE_OPTIONS"]}`))
    (await import("./app/shut-diagnostics.ts")).shutDiagnostics();
  if (isLong && !onlyReads) (await import("./app/gateway-options.ts")).startWithOptions();
  const { enableCompileCache, importQuickly } = await import("./app/compile-cache.ts");
  importQuickly();
  enableCompileCache();
  // What asks on the terminal colours by itself, and knows of no flag.
  if (process.argv.includes("--no-color")) process.env["NO_COLOR"] = "1";
  const { run } = await import("./app/run.ts");
  const { processIo } = await import("./terminal/process-io.ts");
  process.exitCode = await run(process.argv.slice(2), processIo());
}
