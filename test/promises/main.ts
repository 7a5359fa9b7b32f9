/**
 * `pnpm promises [--quick] [--mongodb] [row …]`: keeps the promises to their full size, all of them or the rows named,
 * and writes RESULTS.md. With `--quick` the sizes are small and nothing is written: to see that a row works. With
 * `--mongodb` those rows are run that are about what gateways share, with every store on a replica set of three.
 */
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { startReplicaSet } from "../support/mongod.ts";
import { save, titleOf } from "./report.ts";
import type { Row, Run, Seen } from "./row.ts";

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const lacking = (row: Row): readonly string[] =>
  (row.needs ?? []).filter((program) => spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0);

/** Runs one row within its time, and takes down what it set up, whatever came of it. */
const runRow = async (row: Row, quick: boolean): Promise<readonly Seen[]> => {
  const cleanUps: (() => unknown)[] = [];
  const run: Run = {
    after: (cleanUp) => cleanUps.push(cleanUp),
    say: (line) => say(`   ${line}`),
    size: (full, least = 1) => (quick ? Math.max(least, Math.round(full / 50)) : full),
  };
  const stop = new AbortController();
  const late = delay(row.minutes * 60_000, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`not done within ${row.minutes} minutes`);
  });
  late.catch(() => undefined);
  try {
    return await Promise.race([row.run(run), late]);
  } finally {
    stop.abort();
    for (const cleanUp of cleanUps.reverse()) await cleanUp();
  }
};

/** @returns takes it down; undefined where there is nothing to start one with */
const startMongodb = async (): Promise<(() => Promise<void>) | undefined> => {
  const mongod = process.env["AIGW_TEST_MONGOD"] ?? "";
  if (mongod === "") return undefined;
  const set = await startReplicaSet(mongod);
  process.env["AIGW_TEST_MONGODB_URI"] = set.uri("");
  process.env["AIGW_TEST_ENGINE"] = "mongodb";
  return () => set.stop();
};

const main = async (args: readonly string[]): Promise<number> => {
  const quick = args.includes("--quick");
  const onMongodb = args.includes("--mongodb");
  const names = args.filter((arg) => arg !== "--quick" && arg !== "--mongodb");
  const stop = onMongodb ? await startMongodb() : undefined;
  if (onMongodb && stop === undefined) {
    say("AIGW_TEST_MONGOD does not name a mongod to start a replica set with.");
    return 2;
  }
  // Which engine the homes have is settled when they are loaded.
  const { ROWS: all } = await import("./rows.ts");
  const rows = onMongodb
    ? all.filter(({ onMongodb: too, engine }) => too || engine === "mongodb")
    : all.filter(({ engine }) => engine === undefined);
  const known = rows.map(({ name }) => name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    say(`There is no row '${unknown.join("', '")}'. Rows: ${known.join(", ")}.`);
    return 2;
  }
  const root = resolve(import.meta.dirname, "../..");
  // The rows run the built command line.
  if (spawnSync(resolve(root, "node_modules/.bin/tsc"), ["-b"], { cwd: root, stdio: "inherit" }).status !== 0) return 1;
  const broken: string[] = [];
  const notRun: string[] = [];
  for (const row of rows.filter(({ name }) => names.length === 0 || names.includes(name))) {
    say(`── ${titleOf(row, onMongodb)}: ${row.promise}`);
    const missing = lacking(row);
    if (missing.length > 0) {
      say(`   NOT RUN: ${missing.join(" and ")} missing`);
      notRun.push(row.name);
      continue;
    }
    const started = performance.now();
    try {
      const seen = await runRow(row, quick);
      for (const { what, seen: value, promised, kept } of seen)
        say(`   ${kept ? "kept  " : "BROKEN"} ${what}: ${value} (promised: ${promised})`);
      if (seen.length === 0 || seen.some(({ kept }) => !kept)) broken.push(row.name);
      if (!quick) save(titleOf(row, onMongodb), (performance.now() - started) / 1000, seen, all);
    } catch (error) {
      // What it saw before stays in the report, with its date; the other rows are run all the same.
      say(`   FAILED: ${error instanceof Error ? error.message : String(error)}`);
      broken.push(row.name);
    }
  }
  await stop?.();
  if (notRun.length > 0) say(`*** NOT RUN: ${notRun.join(", ")} ***`);
  if (broken.length > 0) say(`*** BROKEN: ${broken.join(", ")} ***`);
  return broken.length + notRun.length > 0 ? 1 : 0;
};

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)
  process.on(signal, () => process.exit(code));
process.exit(await main(process.argv.slice(2)));
