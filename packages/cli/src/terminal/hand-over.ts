import type { Io } from "./io.ts";
import type { ProcessSignals } from "./signals.ts";

/** What a shell says when there is no such program, or it cannot be run. */
const NOT_RUN = new Set([126, 127]);

/** It has run, and was ended from outside. */
const BY_SIGNAL = 128;

/** The master key and passwords are none of an editor's or pager's business. */
const OURS = /^AIGW_/;

/**
 * Runs programs on this terminal, one at a time: a pager, an editor.
 * @returns `Io.handOver`
 */
export const handingOver =
  ({ onStop, lend }: ProcessSignals): NonNullable<Io["handOver"]> =>
  async (command, { args = [], input, env }) => {
    const { spawn } = await import("node:child_process");
    const takeBack = lend();
    // As git does it: the variable may hold arguments of its own.
    const child = spawn("/bin/sh", ["-c", `${command} "$@"`, command, ...args], {
      stdio: [input === undefined ? "inherit" : "pipe", "inherit", "inherit"],
      env: Object.fromEntries(Object.entries(env).filter(([name]) => !OURS.test(name))),
    });
    const forget = onStop((signal) => child.kill(signal));
    try {
      return await new Promise<number | undefined>((resolve) => {
        child.on("error", () => resolve(undefined));
        child.on("close", (code) => resolve(code !== null && NOT_RUN.has(code) ? undefined : (code ?? BY_SIGNAL)));
        // Whoever has seen enough leaves before everything is read.
        child.stdin?.on("error", () => undefined).end(input);
      });
    } finally {
      forget();
      takeBack();
    }
  };
