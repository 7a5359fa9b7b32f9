#!/usr/bin/env node
import module from "node:module";

module.enableCompileCache();

// What asks on the terminal colours by itself, and knows of no flag.
if (process.argv.includes("--no-color")) process.env["NO_COLOR"] = "1";

const { run } = await import("./run.ts");
const { processIo } = await import("./process-io.ts");

process.exitCode = await run(process.argv.slice(2), processIo());
