import type { Finding, Severity } from "../../findings/finding.ts";
import { escapeText } from "./escape.ts";
import type { Tone } from "./style.ts";
import type { View } from "./view.ts";
import { displayWidth, padEnd } from "./width.ts";
import { wrap } from "./wrap.ts";

const TONES: Readonly<Record<Severity, Tone>> = { blocked: "red", warning: "yellow", fine: "green" };
const MARKS: Readonly<Record<Severity, string>> = { blocked: "✗", warning: "!", fine: "✓" };
const PIPE_INDENT = 4;
const MOST_ABOUT = 24;
/** With fewer columns what was looked at stands on a line of its own. */
const BESIDE_FROM = 70;

/** What was found and, under it, the command that changes it, which is whole, so that it can be copied. */
export const renderFindings = (view: View, findings: readonly Finding[]): string => {
  const abouts = findings.map(({ about = "" }) => displayWidth(escapeText(about)));
  const widest = Math.max(0, ...abouts.filter((width) => width <= MOST_ABOUT));
  return findings.map((finding) => paragraph(view, finding, view.width < BESIDE_FROM ? 0 : widest)).join("\n");
};

/** @param column how wide what was looked at may be to stand beside what was found */
const paragraph = (view: View, { severity, about, message, command }: Finding, column: number): string => {
  const mark = view.style[TONES[severity]](view.isTerminal ? MARKS[severity] : `${severity}:`);
  const least = " ".repeat(view.isTerminal ? displayWidth(MARKS[severity]) + 1 : PIPE_INDENT);
  const subject = about === undefined ? "" : escapeText(about);
  const isBeside = subject !== "" && displayWidth(subject) <= column;
  const indent = isBeside ? `${least}${" ".repeat(column + 2)}` : least;
  const lines = wrap(escapeText(message), view.width - indent.length);
  const head =
    subject === "" ? `${mark} ` : `${mark} ${view.style.bold(isBeside ? padEnd(subject, column + 2) : subject)}`;
  const shown =
    subject === "" || isBeside
      ? lines.map((line, index) => (index === 0 ? head : indent) + line)
      : [head, ...lines.map((line) => indent + line)];
  if (command !== undefined) {
    for (const line of wrap(escapeText(command), view.width - indent.length)) {
      const fits = displayWidth(line) + indent.length <= view.width;
      shown.push((fits ? indent : least) + view.style.cyan(line));
    }
  }
  return shown.join("\n");
};
