import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { systemClock } from "@aigw/core";
import type { run as Run } from "../../packages/cli/src/app/run.ts";
import type { Io, StopSignal } from "../../packages/cli/src/terminal/io.ts";
import type { processIo as ProcessIo } from "../../packages/cli/src/terminal/process-io.ts";

/** What is run one after the other, in one process: starting one for each would take minutes. */
export interface SessionPlan {
  readonly commands: readonly {
    readonly argv: readonly string[];
    readonly home: string;
    readonly stdin?: string;
  }[];
  /** Milliseconds since the epoch that every command takes for now; the machine's clock unless given. */
  readonly now?: number;
}

/** Stands before the output of a command of the plan; terminals pass over what they do not know. */
export const beginOf = (index: number): string => `\u001b]7777;begin;${index}\u0007`;
/** The same behind it; its exit code follows. */
export const END = "\u001b]7777;end;";

const DIST = resolve(import.meta.dirname, "../../packages/cli/dist");

/** The terminal that this process is on is the command line's, with its size and its keys. */
const main = async (plan: SessionPlan): Promise<void> => {
  const { run } = (await import(resolve(DIST, "app/run.js"))) as { run: typeof Run };
  const { processIo } = (await import(resolve(DIST, "terminal/process-io.js"))) as { processIo: typeof ProcessIo };
  const world = processIo();
  const { now } = plan;
  const listeners = new Set<(signal: StopSignal) => void>();
  process.removeAllListeners("SIGINT").on("SIGINT", () => {
    for (const listener of listeners) listener("SIGINT");
  });
  for (const [index, { argv, home }] of plan.commands.entries()) {
    process.stdout.write(beginOf(index));
    const io: Io = {
      stdin: world.stdin,
      stdout: world.stdout,
      stderr: world.stderr,
      prompter: world.prompter,
      env: { ...process.env, AIGW_HOME: home },
      cwd: process.cwd(),
      ...(now !== undefined && { clock: { now: () => now, monotonic: () => systemClock.monotonic() } }),
      // One process: a stop is of the command at hand.
      onStop: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    };
    const code = await run(argv, io);
    process.stdout.write(`${END}${code}\u0007`);
  }
  process.exit(0);
};

if (process.argv[1] === import.meta.filename) {
  await main(JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as SessionPlan);
}
