import { COMMAND_NAMES } from "../command-names.ts";
import { escapeText } from "./escape.ts";
import type { Tone } from "./style.ts";
import type { View } from "./view.ts";
import { displayWidth } from "./width.ts";

/** Where a sentence gives a command by itself, it stands at the beginning or behind a colon, and goes on to the next stop. */
const GIVEN = /(^|[:;.] )((?:aigw|chmod|chown|cp|fuser|kill|rm|ss|timedatectl) (?:[^;.,:)]|[;.,:)](?!\s|$))+)/g;
/** Within a sentence it is `aigw`, up to three words, and what follows them with a dash or in angle brackets. */
const NAMED = new RegExp(
  `\\baigw(?: --(?:home|store) \\S+)* (?:${COMMAND_NAMES})(?![\\w'-])(?: [a-z][\\w-]*){0,2}(?: --?[a-z][\\w-]*| <[^>]+>)*`,
  "g",
);
/** A number and its unit are read together. */
const MEASURED = /(?<=\d) (?=(?:B|[kMGTP]B|[KMGT]iB|ms|s|min|h|d|×)(?!\w))/g;
/** A space that is not one to break at; of those characters that stand for nothing, so that no text has it. */
const KEPT = "\ue000";

/**
 * Breaks text at spaces. What is there to be copied stays whole, and alone on its line where it is longer than that: a
 * word such as a path or a name, and a command.
 * @param atCommas break a word that is too long behind a comma, for lists in narrow columns
 */
export const wrap = (text: string, width: number, atCommas = false): readonly string[] => {
  if (displayWidth(text) <= width) return [text];
  const keep = (command: string): string => command.replaceAll(" ", KEPT);
  const kept = text
    .replace(GIVEN, (_, before: string, command: string) => before + keep(command))
    .replace(NAMED, keep)
    .replace(MEASURED, KEPT);
  const lines: string[] = [];
  let line = "";
  for (const [word, gap] of wordsOf(kept, width, atCommas)) {
    const longer = line === "" ? word : line + gap + word;
    if (line !== "" && displayWidth(longer) > width) {
      lines.push(line);
      line = word;
    } else {
      line = longer;
    }
  }
  return [...lines, line].map((one) => one.replaceAll(KEPT, " "));
};

/** Colour for what is there to be copied, in a line that wrap() has made. */
export const withCommands = (view: View, line: string): string => {
  const [indent = ""] = /^ */.exec(line) ?? [];
  const paint = (command: string): string => view.style.cyan(command);
  const rest = line.slice(indent.length);
  const given = rest.replace(GIVEN, (_, before: string, command: string) => before + paint(command));
  return indent + (given === rest ? rest.replace(NAMED, paint) : given);
};

/** Each with what stands before it on the same line. */
const wordsOf = (text: string, width: number, atCommas: boolean): readonly (readonly [word: string, gap: string])[] =>
  text.split(" ").flatMap((word) => {
    if (!atCommas || displayWidth(word) <= width) return [[word, " "] as const];
    return word.split(/(?<=,)/).map((part, index) => [part, index === 0 ? " " : ""] as const);
  });

/** Sentences as they are shown: safe, and in lines of the view's width. */
export const prose = (view: Pick<View, "width">, text: string): string => wrap(escapeText(text), view.width).join("\n");

/** The same behind a word that says what it is, such as `error:`, in the colour of that. */
export const headed = (view: View, head: string, tone: Tone, text: string): string =>
  prose(view, `${head} ${text}`).replace(head, (word) => view.style[tone](word));
