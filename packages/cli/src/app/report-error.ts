import { createHash } from "node:crypto";
import { isAigwError } from "@aigw/core/errors";
import { CommanderError } from "commander";
import type { Io } from "../terminal/io.ts";
import { escapeText, safeJson } from "../terminal/output/escape.ts";
import { type View, viewOf } from "../terminal/output/view.ts";
import { headed, prose, wrap } from "../terminal/output/wrap.ts";
import { writeMessage } from "../terminal/output/write.ts";
import { carryFlags } from "./carry-flags.ts";
import { BrokenPipe, Interrupted, UsageError } from "./cli-error.ts";
import { type CliErrorCode, EXIT_CODES, type ExitCode } from "./exit-codes.ts";
import type { Globals } from "./globals.ts";
import { usageMessage } from "./usage-message.ts";

interface Report {
  readonly code: keyof typeof EXIT_CODES;
  /** Empty: nothing to say. */
  readonly message: string;
  /** More of them, a line each, such as those of a file's rows. */
  readonly problems?: readonly string[];
}

/** Says on stderr what went wrong, in the form asked for. @returns the exit code */
export const reportError = async (
  error: unknown,
  io: Io,
  globals: Pick<Globals, "json" | "color" | "home" | "store">,
): Promise<ExitCode> => {
  // The reader has seen enough, as in `aigw usage tail -f | head`.
  if (error instanceof BrokenPipe) return 0;
  const report = reportOf(error);
  const { code } = report;
  const message = carryFlags(report.message, globals);
  const problems = report.problems?.map((problem) => carryFlags(problem, globals));
  if (message !== "") {
    const view = await viewOf(io.stderr, io.env, globals.color, 0);
    const text = globals.json
      ? safeJson({ error: { code, message, problems } })
      : [
          code === "interrupted" ? prose(view, message) : headed(view, "error:", "red", message),
          ...(problems ?? []).map((problem) => listItem(view, problem)),
        ].join("\n");
    await writeMessage(io.stderr, `${text}\n`);
  }
  if (code === "internal" && io.env["AIGW_DEBUG"] === "1") await writeMessage(io.stderr, `${stackOf(error)}\n`);
  return EXIT_CODES[code];
};

/** Two columns in, on as many lines as it takes. */
const listItem = (view: View, text: string): string =>
  wrap(escapeText(text), view.width - 2)
    .map((line) => `  ${line}`)
    .join("\n");

const reportOf = (error: unknown): Report => {
  if (isAigwError(error)) {
    const { problems } = error.details;
    return {
      code: error.code,
      message: error.message,
      ...(Array.isArray(problems) ? { problems: problems.map(String) } : {}),
    };
  }
  if (error instanceof UsageError) return { code: "usage", message: error.message };
  if (error instanceof CommanderError) return { code: "usage", message: usageMessage(error) };
  if (error instanceof Interrupted) return { code: "interrupted", message: error.message };
  const code: CliErrorCode = "internal";
  return {
    code,
    message: `This is a bug in aigw (reference ${referenceOf(error)}). Run the command again with AIGW_DEBUG=1 to see where, and report it.`,
  };
};

/** The same bug has the same reference, and neither message nor stack, which may hold anything, is shown unasked. */
const referenceOf = (error: unknown): string =>
  createHash("sha256")
    .update(stackOf(error).replace(/[^\n]*\/(?=[^/\n]+:\d+:\d+)/g, ""))
    .digest("hex")
    .slice(0, 8);

const stackOf = (error: unknown): string => {
  if (!(error instanceof Error)) return `thrown: ${typeof error}`;
  const cause = error.cause instanceof Error ? `\ncaused by ${stackOf(error.cause)}` : "";
  return `${error.stack ?? error.name}${cause}`;
};
