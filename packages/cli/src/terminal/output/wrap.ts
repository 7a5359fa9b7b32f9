import { displayWidth } from "./width.ts";

/** A command in a sentence: at its beginning or behind a colon, semicolon or full stop, up to the next semicolon. */
const COMMAND = /(^|[:;.] )((?:aigw|chmod|chown|fuser|kill|rm|ss|timedatectl) [^;]+)/g;
const KEPT = "\u00a0";

/**
 * Breaks text at spaces. A word that is longer than the line stays whole, so that a path can be copied; so does a
 * command.
 */
export const wrap = (text: string, width: number): readonly string[] => {
  const lines: string[] = [];
  let line = "";
  const kept = text.replace(COMMAND, (_, before: string, command: string) => before + command.replaceAll(" ", KEPT));
  for (const word of kept.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && displayWidth(longer) > width) {
      lines.push(line);
      line = word;
    } else {
      line = longer;
    }
  }
  return [...lines, line].map((one) => one.replaceAll(KEPT, " "));
};
