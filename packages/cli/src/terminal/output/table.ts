import { escapeText } from "./escape.ts";
import type { Tone } from "./style.ts";
import type { View } from "./view.ts";
import { displayWidth, padEnd, padStart, truncate } from "./width.ts";

export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
}

export type Cell = string | { readonly text: string; readonly tone?: Tone };

interface PlainCell {
  readonly text: string;
  readonly tone: Tone | undefined;
}

/** Borders and padding: a column takes so much more than its text, and the table one more. */
export const COLUMN_EXTRA = 3;
const READABLE = 14;
const NARROWEST = 4;
const FEWEST_COLUMNS = 3;

/** A table that fits a terminal; for pipes aligned columns, whole, without colour or box. An empty cell is `-`. */
export const renderTable = async (
  view: View,
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
): Promise<string> => {
  const cells = rows.map((row) => row.map(plainCell));
  return view.isTerminal ? boxed(view, columns, cells) : aligned(view, columns, cells);
};

const plainCell = (cell: Cell): PlainCell => {
  const { text, tone } = typeof cell === "string" ? { text: cell, tone: undefined } : cell;
  return { text: text === "" ? "-" : escapeText(text), tone };
};

const widthsOf = (columns: readonly Column[], rows: readonly (readonly PlainCell[])[]): number[] =>
  columns.map((column, index) =>
    rows.reduce((width, row) => Math.max(width, displayWidth(row[index]?.text ?? "")), displayWidth(column.title)),
  );

const aligned = (view: View, columns: readonly Column[], rows: readonly (readonly PlainCell[])[]): string => {
  const widths = widthsOf(columns, rows);
  const line = (texts: readonly PlainCell[]): string =>
    columns
      .map((column, index) => {
        const { text, tone } = texts[index] ?? { text: "-", tone: undefined };
        const pad = column.align === "right" ? padStart : padEnd;
        const last = index === columns.length - 1 && column.align !== "right";
        const padded = last ? text : pad(text, widths[index] ?? 0);
        return tone === undefined ? padded : view.style[tone](padded);
      })
      .join("  ")
      .trimEnd();
  const head = columns.map((column) => ({ text: column.title.toUpperCase(), tone: undefined }));
  return [head, ...rows].map(line).join("\n");
};

const boxed = async (
  view: View,
  columns: readonly Column[],
  rows: readonly (readonly PlainCell[])[],
): Promise<string> => {
  const { default: Table } = await import("cli-table3");
  const widths = fit(widthsOf(columns, rows), view.width);
  const shown = columns.slice(0, widths.length);
  const table = new Table({
    head: shown.map((column, index) => view.style.bold(truncate(column.title, widths[index] ?? 0))),
    colAligns: shown.map((column) => column.align ?? "left"),
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) {
    table.push(
      widths.map((width, index) => {
        const { text, tone } = row[index] ?? { text: "-", tone: undefined };
        const cut = truncate(text, width);
        return tone === undefined ? cut : view.style[tone](cut);
      }),
    );
  }
  return table.toString();
};

/**
 * Takes what the terminal lacks from the widest columns as long as that leaves them readable, then leaves out the last
 * ones, and only then cuts further.
 */
const fit = (natural: readonly number[], available: number): number[] => {
  const widths = [...natural];
  const tooWide = (): boolean => widths.reduce((sum, width) => sum + width + COLUMN_EXTRA, 1) > available;
  const shrinkTo = (least: number): void => {
    for (let widest = Math.max(...widths); tooWide() && widest > least; widest = Math.max(...widths)) {
      widths[widths.indexOf(widest)] = widest - 1;
    }
  };
  shrinkTo(READABLE);
  while (tooWide() && widths.length > FEWEST_COLUMNS) widths.pop();
  shrinkTo(NARROWEST);
  while (tooWide() && widths.length > 1) widths.pop();
  return widths;
};
