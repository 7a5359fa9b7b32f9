import type { Clock } from "@aigw/core";
import type { Io, OutputStream } from "../io.ts";
import { escapeText, safeJson } from "./escape.ts";
import { type View, viewOf } from "./view.ts";
import { writeData, writeMessage } from "./write.ts";

export type OutputMode = "text" | "quiet" | "json";

/** One answer in its three forms; only the one asked for is made. */
export interface Answer {
  readonly json: () => unknown;
  /** The one thing a script wants, or a line for each. */
  readonly quiet: () => string | readonly string[];
  readonly text: (view: View) => string | Promise<string>;
}

export interface Output {
  readonly mode: OutputMode;
  /** What was asked for, to stdout. Resolves when it is written. @throws BrokenPipe when nobody reads it */
  answer(answer: Answer): Promise<void>;
  /** A piece of an endless answer, to stdout; escaped by the caller. @throws BrokenPipe */
  line(text: string): Promise<void>;
  /** One JSON document on a line of its own. @throws BrokenPipe */
  jsonLine(value: unknown): Promise<void>;
  view(): Promise<View>;
  /** Good to know, to stderr; left out with `-q` and `--json`. */
  note(text: string): Promise<void>;
  /** To stderr whatever the mode. */
  warn(text: string): Promise<void>;
}

export interface OutputOptions {
  readonly mode: OutputMode;
  readonly colour: boolean;
  /** Done to what goes to people: see `carryFlags`. */
  readonly carry?: (text: string) => string;
}

export const createOutput = (
  io: Pick<Io, "stdout" | "stderr" | "env">,
  clock: Clock,
  options: OutputOptions,
): Output => {
  const { mode, carry = (text) => text } = options;
  const viewOn = (stream: OutputStream): Promise<View> => viewOf(stream, io.env, options.colour, clock.now());
  const line = (text: string): Promise<void> => (text === "" ? Promise.resolve() : writeData(io.stdout, `${text}\n`));
  return {
    mode,
    line,
    view: () => viewOn(io.stdout),
    jsonLine: (value) => line(safeJson(value)),
    async answer(answer) {
      if (mode === "json") return line(safeJson(answer.json(), io.stdout.isTTY ? 2 : undefined));
      if (mode === "text") return line(await answer.text(await viewOn(io.stdout)));
      const quiet = answer.quiet();
      return line((typeof quiet === "string" ? [quiet] : quiet).map(escapeText).join("\n"));
    },
    async note(text) {
      if (mode !== "text") return;
      const { style } = await viewOn(io.stderr);
      await writeMessage(io.stderr, `${style.dim(escapeText(carry(text)))}\n`);
    },
    async warn(given) {
      const text = carry(given);
      if (mode === "json") return writeMessage(io.stderr, `${safeJson({ warning: { message: text } })}\n`);
      const { style } = await viewOn(io.stderr);
      return writeMessage(io.stderr, `${style.yellow("warning:")} ${escapeText(text)}\n`);
    },
  };
};
