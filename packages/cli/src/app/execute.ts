import { type Command, CommanderError } from "commander";
import { HELP_LAYOUT } from "../terminal/help-layout.ts";
import { columnsOf, type Io, type OutputStream } from "../terminal/io.ts";
import { viewOf } from "../terminal/output/view.ts";
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
    getOutHelpWidth: () => widthForHelp(io.stdout),
    getErrHelpWidth: () => widthForHelp(io.stderr),
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  });
  inheritSettings(program);
};

/** In a pipe as on a wide terminal. */
const widthForHelp = (stream: OutputStream): number => (stream.isTTY === true ? columnsOf(stream) : 100);

/** addCommand() leaves a command with its own settings. */
const inheritSettings = (parent: Command): void => {
  for (const child of parent.commands) {
    child.copyInheritedSettings(parent);
    inheritSettings(child);
  }
};

/** `Examples:`, and the word before what is on the same line. */
const HEADING = /^[A-Z][\w -]*:(?=\n| )/gm;

const showHelp = async (text: string, io: Io, guessed: ReturnType<typeof guessGlobals>): Promise<ExitCode> => {
  try {
    const { style, isTerminal } = await viewOf(io.stdout, io.env, guessed.color, 0);
    const shown = isTerminal ? text.replace(HEADING, (heading) => style.bold(heading)) : text;
    const mayPage = isTerminal && guessed.input;
    if (mayPage && (await (await import("../terminal/pager.ts")).paged(io, shown))) return 0;
    await writeData(io.stdout, shown);
    return 0;
  } catch (error) {
    return report(error, io, guessed);
  }
};
