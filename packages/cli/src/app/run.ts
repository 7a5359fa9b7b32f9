import type { Io } from "../terminal/io.ts";
import type { ExitCode } from "./exit-codes.ts";
import { readVersion } from "./version.ts";

/** Runs one command line, given without the program's name. @returns the exit code; never throws */
export const run = async (argv: readonly string[], io: Io): Promise<ExitCode> => {
  // Answered before anything is loaded: scripts ask for the version just to see whether aigw is there.
  if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "-V")) {
    await new Promise<void>((resolve) => io.stdout.write(`${readVersion()}\n`, () => resolve()));
    return 0;
  }
  if (argv[0] === "__complete") {
    const { complete } = await import("../completion/complete.ts");
    return complete(argv.slice(1), io);
  }
  const { execute } = await import("./execute.ts");
  return execute(argv, io);
};
