import { type Command, CommanderError } from "commander";
import { HELP_LAYOUT } from "../terminal/help-layout.ts";
import type { Io } from "../terminal/io.ts";
import { writeData, writeMessage } from "../terminal/output/write.ts";
import { createContext } from "./context.ts";
import type { ExitCode } from "./exit-codes.ts";
import { type Globals, guessGlobals } from "./globals.ts";
import { createProgram } from "./program.ts";
import type { reportError } from "./report-error.ts";

/** Parses the command line, runs the command, reports what went wrong. */
export const execute = async (argv: readonly string[], io: Io): Promise<ExitCode> => {
  const guessed = guessGlobals(argv);
  const help = { out: "", err: "" };
  let program: Command | undefined;
  try {
    const ctx = createContext(io, () => program?.opts<Globals>() ?? { ...UNPARSED, ...guessed });
    program = await createProgram(ctx, argv);
    captureHelp(program, io, help);
    await program.parseAsync(argv.length === 0 ? ["--help"] : argv, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return showHelp(help.out, io, guessed);
    if (help.err !== "" && !guessed.json) await writeMessage(io.stderr, help.err);
    const { home, store } = program?.opts<Globals>() ?? {};
    return report(error, io, {
      ...guessed,
      ...(home !== undefined && { home }),
      ...(store !== undefined && { store }),
    });
  }
};

/** Loaded when something went wrong. */
const report = async (...failed: Parameters<typeof reportError>): Promise<ExitCode> =>
  (await import("./report-error.ts")).reportError(...failed);

const UNPARSED: Globals = { input: true, color: true };

/** commander would exit, and write without waiting: it throws instead, and what it has to say is written by us. */
const captureHelp = (program: Command, io: Io, help: { out: string; err: string }): void => {
  program.exitOverride().configureHelp(HELP_LAYOUT);
  program.configureOutput({
    writeOut: (text) => {
      help.out += text;
    },
    writeErr: (text) => {
      help.err += text;
    },
    outputError: () => {},
    getOutHelpWidth: () => io.stdout.columns ?? 100,
    getErrHelpWidth: () => io.stderr.columns ?? 100,
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  });
  inheritSettings(program);
};

/** addCommand() leaves a command with its own settings. */
const inheritSettings = (parent: Command): void => {
  for (const child of parent.commands) {
    child.copyInheritedSettings(parent);
    inheritSettings(child);
  }
};

const showHelp = async (text: string, io: Io, guessed: Pick<Globals, "json" | "color">): Promise<ExitCode> => {
  try {
    await writeData(io.stdout, text);
    return 0;
  } catch (error) {
    return report(error, io, guessed);
  }
};
