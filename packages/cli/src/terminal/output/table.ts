import { escapeText } from "./escape.ts";
import type { Tone } from "./style.ts";
import type { View } from "./view.ts";
import { displayWidth, padEnd, padStart, truncate } from "./width.ts";
import { wrap } from "./wrap.ts";

export interface Column {
  readonly title: string;
  /** To the right: a number, which is never cut. */
  readonly align?: "left" | "right";
  /** What is looked for or copied, such as a name or a URL: never cut, never left out. The first column is one anyway. */
  readonly key?: boolean;
}

export type Cell = string | { readonly text: string; readonly tone?: Tone };

interface PlainCell {
  readonly text: string;
  readonly tone: Tone | undefined;
}

/** Between two columns. */
export const GAP = 2;
/** Sentences are broken into lines of no less. */
const READABLE = 20;
/** Half an e-mail address is of no use to anybody; what is longer than this has no room beside a key. */
const LONGEST_WORD = 32;

/**
 * For a terminal a table of its width, see {@link layOut}; for pipes aligned columns, whole. An empty cell is `-`.
 * @param columns the most important first: what does not fit leaves from the end
 */
export const renderTable = async (
  view: View,
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
): Promise<string> => {
  const cells = rows.map((row) => row.map(plainCell));
  return view.isTerminal ? fitted(view, columns, cells) : aligned(view, columns, cells);
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
      .join(" ".repeat(GAP))
      .trimEnd();
  const head = columns.map((column) => ({ text: column.title.toUpperCase(), tone: undefined }));
  return [head, ...rows].map(line).join("\n");
};

/** Nothing but the space between columns. */
const NO_LINES = Object.fromEntries(
  ["top", "bottom", "left", "right"]
    .flatMap((side) => [side, `${side}-mid`, `${side}-left`, `${side}-right`])
    .concat("mid", "mid-mid")
    .map((name) => [name, ""]),
);

const fitted = async (
  view: View,
  columns: readonly Column[],
  rows: readonly (readonly PlainCell[])[],
): Promise<string> => {
  const { default: Table } = await import("cli-table3");
  const shown = layOut(columns, rows, view.width);
  const table = new Table({
    head: shown.map(({ title, width }) => view.style.bold(truncate(title, width))),
    colAligns: shown.map(({ align = "left" }) => align),
    chars: { ...NO_LINES, middle: " ".repeat(GAP) },
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0, compact: true },
  });
  const drawn = rows.map((row) => drawRow(view, shown, row));
  for (const { cells } of drawn) table.push(cells.map((lines) => lines.join("\n")));
  const lines = table
    .toString()
    .split("\n")
    .map((line) => line.trimEnd());
  // A key that is wider than its column has a line of its own: the first of a row above the rest of it, others below.
  const body = lines.slice(1);
  const whole = drawn.flatMap(({ above, cells, below }) => [
    ...above,
    ...body.splice(0, Math.max(1, ...cells.map(({ length }) => length))),
    ...below,
  ]);
  return [lines[0] ?? "", ...whole].join("\n");
};

interface Shown extends Column {
  /** Which cell of a row. */
  readonly index: number;
  readonly width: number;
  readonly key: boolean;
}

interface DrawnRow {
  readonly above: readonly string[];
  /** Lines of each cell. */
  readonly cells: readonly (readonly string[])[];
  readonly below: readonly string[];
}

const drawRow = (view: View, shown: readonly Shown[], row: readonly PlainCell[]): DrawnRow => {
  const above: string[] = [];
  const below: string[] = [];
  const cells = shown.map(({ index, width, key, align }, place) => {
    const { text, tone } = row[index] ?? { text: "-", tone: undefined };
    const styled = (line: string): string => (tone === undefined || line === "" ? line : view.style[tone](line));
    if (displayWidth(text) <= width) return [styled(text)];
    if (key) {
      const indent = place === 0 || displayWidth(text) + GAP > view.width ? 0 : GAP;
      const lines = wrap(text, view.width - indent).map((line) => " ".repeat(indent) + styled(line));
      (place === 0 ? above : below).push(...lines);
      return [""];
    }
    if (align === "right") return [styled(text)];
    return wrap(text, width, true).map((line) => styled(truncate(line, width)));
  });
  return { above, cells, below };
};

/**
 * Which columns are shown, and how wide. Where not all fits: keys have a share of the width that leaves room for others,
 * which are broken into lines; what then does not fit leaves from the end.
 */
const layOut = (
  columns: readonly Column[],
  rows: readonly (readonly PlainCell[])[],
  available: number,
): readonly Shown[] => {
  const natural = widthsOf(columns, rows);
  const all = columns.map((column, index) => ({
    ...column,
    index,
    width: natural[index] ?? 0,
    key: column.key === true || index === 0,
  }));
  if (excessOf(all, available) <= 0) return all;
  const keys = keyWidths(all, rows, available);
  const shown = all.map((column) => ({ ...column, width: keys.get(column.index) ?? column.width }));
  const isFixed = ({ key, align }: Shown): boolean => key || align === "right";
  const least = (column: Shown): number => {
    if (isFixed(column)) return column.width;
    const words = Math.min(LONGEST_WORD, longestWord(rows, column.index));
    return Math.min(column.width, Math.max(READABLE, displayWidth(column.title), words));
  };
  while (
    excessOf(
      shown.map((column) => ({ width: least(column) })),
      available,
    ) > 0
  ) {
    const last = shown.findLastIndex(({ key }) => !key);
    if (last === -1) break;
    shown.splice(last, 1);
  }
  for (let excess = excessOf(shown, available); excess > 0; excess -= 1) {
    const [widest] = shown
      .filter((column) => column.width > least(column))
      .toSorted((one, other) => other.width - one.width);
    if (widest === undefined) break;
    shown[shown.indexOf(widest)] = { ...widest, width: widest.width - 1 };
  }
  return shown;
};

/** Of a column of words, such as e-mail addresses; sentences can be read with a word of theirs cut. */
const longestWord = (rows: readonly (readonly PlainCell[])[], index: number): number => {
  const texts = rows.map((row) => row[index]?.text ?? "");
  if (texts.some((text) => text.includes(" "))) return 0;
  return Math.max(0, ...texts.flatMap((text) => text.split(/(?<=,)/)).map(displayWidth));
};

const excessOf = (columns: readonly { readonly width: number }[], available: number): number =>
  columns.reduce((sum, { width }) => sum + width + GAP, -GAP) - available;

/** One key has half of the terminal, two have two thirds, and so on; what one does not need the others may take. */
const keyWidths = (
  columns: readonly Shown[],
  rows: readonly (readonly PlainCell[])[],
  available: number,
): ReadonlyMap<number, number> => {
  const keys = columns.filter(({ key }) => key).toSorted((one, other) => one.width - other.width);
  let left = Math.floor((available * keys.length) / (keys.length + 1));
  return new Map(
    keys.map(({ index, title }, place) => {
      const share = Math.floor(left / (keys.length - place));
      const fitting = rows.map((row) => displayWidth(row[index]?.text ?? "")).filter((width) => width <= share);
      const width = Math.max(Math.min(share, displayWidth(title)), ...fitting);
      left -= width;
      return [index, width];
    }),
  );
};
