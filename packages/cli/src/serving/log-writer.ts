import type { Context } from "../app/context.ts";
import { columnsOf, type OutputStream } from "../terminal/io.ts";
import { escapeText } from "../terminal/output/escape.ts";
import type { Style, Tone } from "../terminal/output/style.ts";
import { viewOf } from "../terminal/output/view.ts";
import { wrap } from "../terminal/output/wrap.ts";

/** Takes one line, with or without its line break. Never throws. */
export type LogWriter = (line: string) => void;

export interface LogOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** False with `--no-color`. */
  readonly colour: boolean;
  /** The lines as they are, also on a terminal: `--json`. */
  readonly raw: boolean;
}

export const logOptions = ({ env, globals, out }: Context): LogOptions => ({
  env,
  colour: globals.color,
  raw: out.mode === "json",
});

/** Where a gateway's log goes: for programs a JSON object a line, on a terminal a line that a person reads. */
export const logWriter = async (stderr: OutputStream, { env, colour, raw }: LogOptions): Promise<LogWriter> => {
  if (raw || stderr.isTTY !== true) return (line) => void stderr.write(line.endsWith("\n") ? line : `${line}\n`);
  const { style } = await viewOf(stderr, env, colour, 0);
  return (line) => {
    const text = logText(line, columnsOf(stderr), style);
    if (text !== undefined) stderr.write(`${text}\n`);
  };
};

/** Said by the banner, and by what Ctrl-C is answered with. */
const SAID_OTHERWISE: ReadonlySet<unknown> = new Set(["gateway started", "draining", "gateway stopped"]);

const TONES: Readonly<Record<string, Tone>> = { error: "red", fatal: "red", warn: "yellow" };

/**
 * `17:02:06 UTC  warn  upstream failed  service=ocr code=refused`, broken at words to the terminal's width.
 * @returns undefined when there is nothing to say
 */
const logText = (line: string, width: number, style: Style): string | undefined => {
  const { level, time, instance, msg, ...fields } = JSON.parse(line) as Readonly<Record<string, unknown>>;
  if (level === "info" && SAID_OTHERWISE.has(msg)) return undefined;
  const pairs = Object.entries(fields).map(([name, value]) => `${name}=${valueText(value)}`);
  const clock = String(time).slice(11, 19);
  const text = [`${clock} UTC`, String(level), String(msg), ...(pairs.length > 0 ? [pairs.join(" ")] : [])].join("  ");
  const [first = "", ...more] = wrap(escapeText(text), width - 2).map((part) => part.trimEnd());
  const tone = TONES[String(level)];
  const head = tone === undefined ? first : first.replace(String(level), (word) => style[tone](word));
  return [head, ...more.map((rest) => `  ${rest}`)].join("\n");
};

const valueText = (value: unknown): string => {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /[\s"=]/.test(text) ? JSON.stringify(text) : text;
};
