import type { Io } from "./io.ts";
import { terminalPrompter } from "./prompter.ts";
import { processSignals } from "./signals.ts";

/** The real world. Loads nothing of the core, so that `--version` does not. */
export const processIo = (): Io => {
  // Whoever writes is told of a closed pipe by the write itself; unhandled, the event would end the process with a stack.
  process.stdout.on("error", () => {});
  process.stderr.on("error", () => {});
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    prompter: terminalPrompter(process.stdin, process.stderr),
    onStop: processSignals(),
    onReload: (listener) => {
      process.on("SIGHUP", listener);
      return () => process.off("SIGHUP", listener);
    },
  };
};
