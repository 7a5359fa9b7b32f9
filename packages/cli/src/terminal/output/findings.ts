import type { Finding, Severity } from "../../findings/finding.ts";
import { escapeText } from "./escape.ts";
import type { Tone } from "./style.ts";
import type { View } from "./view.ts";
import { displayWidth, padEnd } from "./width.ts";
import { withCommands, wrap } from "./wrap.ts";

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
  const least = view.isTerminal ? displayWidth(MARKS[severity]) + 1 : PIPE_INDENT;
  const subject = about === undefined ? "" : escapeText(about);
  const besides = subject !== "" && displayWidth(subject) <= column;
  const indent = besides ? least + column + 2 : least;
  const lines = wrap(escapeText(message), view.width - indent);
  // A word that is longer than its place, such as a URL, has a line of its own.
  const isBeside = subject === "" || (besides && indent + displayWidth(lines[0] ?? "") <= view.width);
  const head =
    subject === "" ? `${mark} ` : `${mark} ${view.style.bold(isBeside ? padEnd(subject, column + 2) : subject)}`;
  const place = (line: string): string => " ".repeat(room(view, line, indent, least)) + line;
  const shown = isBeside ? [head + (lines[0] ?? ""), ...lines.slice(1).map(place)] : [head, ...lines.map(place)];
  const steps = command === undefined ? [] : wrap(escapeText(command), view.width - indent);
  return [...shown, ...steps.map((line) => withCommands(view, place(line)))].join("\n");
};

/** How far a line is indented: as much as all; less, or not at all, where it would not fit then but does so. */
const room = (view: View, line: string, indent: number, least: number): number => {
  const free = view.width - displayWidth(line);
  return free >= indent ? indent : free >= least || free < 0 ? least : 0;
};
