import { columnsOf, type OutputStream } from "../io.ts";
import type { Style, Tone } from "./style.ts";

/** How text is laid out on one stream. */
export interface View {
  readonly isTerminal: boolean;
  /** Columns; endless where no terminal sets them. */
  readonly width: number;
  readonly style: Style;
  /** Wall clock, milliseconds since the epoch: what "3 min ago" counts from. */
  readonly now: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * https://no-color.org and https://force-color.org. Whoever does not want colour gets none, whatever else is set.
 * @param wanted false with `--no-color`
 */
export const usesColour = (stream: OutputStream, env: Environment, wanted: boolean): boolean => {
  if (!wanted || (env["NO_COLOR"] ?? "") !== "") return false;
  const forced = env["FORCE_COLOR"];
  if (forced !== undefined && forced !== "") return forced !== "0" && forced !== "false";
  return stream.isTTY === true && env["TERM"] !== "dumb";
};

/** Every terminal has 16 colours, and nearly every one 256. */
const paletteOf = (env: Environment): 16 | 256 =>
  /256/.test(env["TERM"] ?? "") || (env["COLORTERM"] ?? "") !== "" || /^[23]$/.test(env["FORCE_COLOR"] ?? "")
    ? 256
    : 16;

const plain = (text: string): string => text;
const TONES: readonly Tone[] = ["bold", "dim", "red", "green", "yellow", "cyan"];
export const PLAIN_STYLE: Style = Object.fromEntries(TONES.map((tone) => [tone, plain])) as Style;

/** chalk is loaded only where there is something to colour. */
export const viewOf = async (
  stream: OutputStream,
  env: Environment,
  wantsColour: boolean,
  now: number,
): Promise<View> => {
  const style = usesColour(stream, env, wantsColour)
    ? (await import("./style.ts")).colourStyle(paletteOf(env))
    : PLAIN_STYLE;
  const isTerminal = stream.isTTY === true;
  return { isTerminal, width: isTerminal ? columnsOf(stream) : Number.POSITIVE_INFINITY, style, now };
};
