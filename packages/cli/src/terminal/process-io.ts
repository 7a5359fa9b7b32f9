import type { Io } from "./io.ts";
import { type Prompter, terminalPrompter } from "./prompter.ts";
import { processSignals } from "./signals.ts";

/** The real world. Loads nothing of the core, so that `--version` does not; Node makes each stream when it is asked for. */
export const processIo = (): Io => {
  let prompter: Prompter | undefined;
  const signals = processSignals();
  return {
    get stdin() {
      return process.stdin;
    },
    get stdout() {
      return unbroken(process.stdout);
    },
    get stderr() {
      return unbroken(process.stderr);
    },
    get prompter() {
      prompter ??= terminalPrompter(process.stdin, unbroken(process.stderr));
      return prompter;
    },
    env: process.env,
    cwd: workingFolder(),
    onStop: signals.onStop,
    handOver: async (command, run) => (await import("./hand-over.ts")).handingOver(signals)(command, run),
    onReload: (listener) => {
      process.on("SIGHUP", listener);
      return () => process.off("SIGHUP", listener);
    },
  };
};

/** Where it was removed under the shell, its name is all that is left: relative paths are then not found by it. */
const workingFolder = (): string => {
  try {
    return process.cwd();
  } catch {
    const named = process.env["PWD"];
    return named?.startsWith("/") ? named : "/";
  }
};

const ignore = (): void => undefined;

/** Whoever writes is told of a closed pipe by the write itself; unhandled, the event would end the process with a stack. */
const unbroken = (stream: NodeJS.WriteStream): NodeJS.WriteStream =>
  stream.listeners("error").includes(ignore) ? stream : stream.on("error", ignore);
