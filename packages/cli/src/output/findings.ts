import type { Finding, Severity } from "@aigw/core";
import { escapeText } from "./escape.ts";
import type { Tone } from "./style.ts";
import type { View } from "./view.ts";
import { displayWidth } from "./width.ts";

const TONES: Readonly<Record<Severity, Tone>> = { blocked: "red", warning: "yellow", fine: "green" };
const MARKS: Readonly<Record<Severity, string>> = { blocked: "✗", warning: "!", fine: "✓" };

/** What was found and, indented under it, the command that changes it. */
export const renderFindings = (view: View, findings: readonly Finding<string>[]): string =>
  findings
    .map(({ severity, message, command }) => {
      const text = escapeText(message);
      const tone = view.style[TONES[severity]];
      const mark = view.isTerminal ? MARKS[severity] : `${severity}:`;
      const lines = wrap(text, view.width - displayWidth(mark) - 1);
      const indent = " ".repeat(view.isTerminal ? 2 : 4);
      const shown = lines.map((line, index) => (index === 0 ? `${tone(mark)} ${line}` : `${indent}${line}`));
      if (command !== undefined) shown.push(`${indent}${view.style.cyan(escapeText(command))}`);
      return shown.join("\n");
    })
    .join("\n");

/** A word that is too long for a line gets one of its own: it is not to be cut. */
const wrap = (text: string, width: number): readonly string[] => {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && displayWidth(line) + 1 + displayWidth(word) > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
};
