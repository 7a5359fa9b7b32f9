/**
 * `pnpm bench [--quick] [row …]`: measures the whole table or the rows named, and writes RESULTS.md. With `--quick`
 * rounds are few and short, and nothing is written: to see in a minute whether a change helped.
 */
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { lines, save } from "./report.ts";
import { clients } from "./rows/clients.ts";
import { growth } from "./rows/growth.ts";
import { latency } from "./rows/latency.ts";
import { logins } from "./rows/logins.ts";
import { metered } from "./rows/metered.ts";
import { meters } from "./rows/meters.ts";
import { mongodb } from "./rows/mongodb.ts";
import { queue } from "./rows/queue.ts";
import { recording } from "./rows/recording.ts";
import { report } from "./rows/report.ts";
import { reportYear } from "./rows/report-year.ts";
import { sockets } from "./rows/sockets.ts";
import { startup } from "./rows/startup.ts";
import { streams } from "./rows/streams.ts";
import { tail } from "./rows/tail.ts";
import { throughput } from "./rows/throughput.ts";
import { transfer } from "./rows/transfer.ts";
import { workers } from "./rows/workers.ts";
import { BENCH, missing } from "./support/machine.ts";
import { stopAll } from "./support/processes.ts";
import type { Effort, Row } from "./support/row.ts";

const ROWS: readonly Row[] = [
  throughput,
  latency,
  workers,
  streams,
  sockets,
  transfer,
  growth,
  startup,
  report,
  reportYear,
  tail,
  recording,
  clients,
  logins,
  metered,
  meters,
  queue,
  mongodb,
];

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const THOROUGH: Effort = { say: (line) => say(`   ${line}`), rounds: 7, seconds: 6 };
const QUICK: Effort = { ...THOROUGH, rounds: 3, seconds: 2 };

const main = async (args: readonly string[]): Promise<number> => {
  const quick = args.includes("--quick");
  const names = args.filter((arg) => arg !== "--quick");
  const known = ROWS.map((row) => row.name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    say(`There is no row '${unknown.join("', '")}'. Rows: ${known.join(", ")}.`);
    return 2;
  }
  const chosen = ROWS.filter((row) => names.length === 0 || names.includes(row.name));
  const lacking = missing([...new Set(chosen.flatMap((row) => row.tools))]);
  if (lacking.length > 0) {
    for (const line of lacking) say(line);
    say("Nothing was measured: without them the figures would compare something else.");
    return 1;
  }
  const built = spawnSync(resolve(BENCH, "../node_modules/.bin/tsc"), ["-b"], {
    cwd: resolve(BENCH, ".."),
    stdio: "inherit",
  });
  if (built.status !== 0) return 1;
  let failed = false;
  for (const row of chosen) {
    say(`── ${row.name}`);
    try {
      const figures = await row.measure(quick ? QUICK : THOROUGH);
      for (const line of lines(figures)) say(line);
      if (!quick) save(row.name, figures, known);
    } catch (error) {
      // Its old figures stay in the report, with their date; the other rows are measured all the same.
      failed = true;
      say(`   ${row.name} failed: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      await stopAll();
    }
  }
  return failed ? 1 : 0;
};

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)
  process.on(signal, () => process.exit(code));
process.exit(await main(process.argv.slice(2)));
