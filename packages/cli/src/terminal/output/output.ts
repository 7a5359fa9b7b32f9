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
  /** It may be long, and is to be read, not watched: a terminal that it does not fit on gets it page by page. */
  readonly isLong?: boolean;
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
  /** Whether somebody is there to read page by page. */
  readonly pages: boolean;
  /** Done to what goes to people: see `carryFlags`. */
  readonly carry?: (text: string) => string;
}

export const createOutput = (io: Io, clock: Clock, options: OutputOptions): Output => {
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
      if (mode === "text") {
        const text = await answer.text(await viewOn(io.stdout));
        if (answer.isLong === true && options.pages && (await (await import("../pager.ts")).paged(io, `${text}\n`)))
          return;
        return line(text);
      }
      const quiet = answer.quiet();
      return line((typeof quiet === "string" ? [quiet] : quiet).map(escapeText).join("\n"));
    },
    async note(text) {
      if (mode !== "text") return;
      // Most commands have nothing to say beside what was asked for.
      const { prose } = await import("./wrap.ts");
      await writeMessage(io.stderr, `${prose(await viewOn(io.stderr), carry(text))}\n`);
    },
    async warn(given) {
      const text = carry(given);
      if (mode === "json") return writeMessage(io.stderr, `${safeJson({ warning: { message: text } })}\n`);
      const { headed } = await import("./wrap.ts");
      return writeMessage(io.stderr, `${headed(await viewOn(io.stderr), "warning:", "yellow", text)}\n`);
    },
  };
};
