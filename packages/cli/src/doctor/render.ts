import { escapeText } from "../output/escape.ts";
import type { Tone } from "../output/style.ts";
import { renderTable } from "../output/table.ts";
import type { View } from "../output/view.ts";
import { displayWidth, padEnd, truncate } from "../output/width.ts";
import { wrap } from "../output/wrap.ts";
import { type Finding, type Level, levelOf } from "./finding.ts";

const TONES: Readonly<Record<Level, Tone>> = { ok: "green", warn: "yellow", fail: "red" };
const LEVEL_WIDTH = 4;
const MAX_ABOUT = 24;

/** On a terminal a finding a paragraph, its fix below; in a pipe a finding a line. */
export const renderFindings = (view: View, findings: readonly Finding[]): Promise<string> | string => {
  if (view.isTerminal) return findings.map((finding) => paragraph(view, finding, aboutWidth(findings))).join("\n");
  const columns = ["Level", "About", "Found", "Fix"].map((title) => ({ title }));
  return renderTable(
    view,
    columns,
    findings.map((finding) => [levelOf(finding), finding.about, finding.message, finding.fix ?? ""]),
  );
};

const aboutWidth = (findings: readonly Finding[]): number =>
  Math.min(MAX_ABOUT, Math.max(...findings.map(({ about }) => displayWidth(escapeText(about)))));

const paragraph = (view: View, finding: Finding, width: number): string => {
  const level = levelOf(finding);
  const about = padEnd(truncate(escapeText(finding.about), width), width);
  const indent = " ".repeat(LEVEL_WIDTH + 2 + width + 2);
  const room = view.width - indent.length;
  const [first = "", ...more] = wrap(escapeText(finding.message), room);
  const head = `${view.style[TONES[level]](padEnd(level, LEVEL_WIDTH))}  ${view.style.bold(about)}  ${first}`;
  const fix = finding.fix === undefined ? [] : wrap(`→ ${escapeText(finding.fix)}`, room);
  return [head, ...more.map((line) => indent + line), ...fix.map((line) => indent + view.style.cyan(line))].join("\n");
};
