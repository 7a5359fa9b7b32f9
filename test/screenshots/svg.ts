import type { Cell, Line } from "../support/screen.ts";

/** What a terminal of that kind has: ground, text, and the colours of its own palette. */
interface Theme {
  readonly ground: string;
  readonly text: string;
  readonly bar: string;
  readonly faint: string;
}

export const THEMES: Readonly<Record<"light" | "dark", Theme>> = {
  light: { ground: "#ffffff", text: "#1f2328", bar: "#eaeef2", faint: "#59636e" },
  dark: { ground: "#1e1e1e", text: "#e6e6e6", bar: "#323232", faint: "#a0a0a0" },
};

const FONT = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace";
const SIZE = 14;
const COLUMN = 8.43;
const ROW = 20;
const EDGE = 16;
const BAR = 30;

/** The 6 × 6 × 6 cube of xterm's 256 colours, from 16 to 231. */
const colourOf = (n: number): string => {
  const level = (step: number): string => [0, 95, 135, 175, 215, 255][step]?.toString(16).padStart(2, "0") ?? "00";
  const at = n - 16;
  return `#${level(Math.floor(at / 36))}${level(Math.floor(at / 6) % 6)}${level(at % 6)}`;
};

/** A window with these lines, as text: small, and a change of a word is a change of a line. */
export const svgOf = (title: string, lines: readonly Line[], columns: number, theme: Theme): string => {
  const width = Math.ceil(columns * COLUMN + 2 * EDGE);
  const height = BAR + lines.length * ROW + 2 * EDGE;
  const rows = lines.flatMap(({ cells }, index) => rowOf(cells, BAR + EDGE + index * ROW + SIZE, theme));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${height}" rx="8" fill="${theme.ground}"/>`,
    `<path d="M0 ${BAR}V8a8 8 0 0 1 8-8H${width - 8}a8 8 0 0 1 8 8V${BAR}Z" fill="${theme.bar}"/>`,
    `<rect x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="8" fill="none" stroke="${theme.bar}"/>`,
    `<g font-family="${FONT}" font-size="${SIZE}" fill="${theme.text}" xml:space="preserve">`,
    `<text x="${width / 2}" y="20" text-anchor="middle" font-size="12" fill="${theme.faint}">${escaped(title)}</text>`,
    ...rows,
    "</g>",
    "</svg>",
    "",
  ].join("\n");
};

interface Run extends Pick<Cell, "colour" | "bold" | "dim"> {
  /** Columns. */
  readonly start: number;
  end: number;
  text: string;
}

/** Every run of letters that look alike is put where the terminal has it, whatever font is at hand. */
const rowOf = (cells: readonly Cell[], y: number, theme: Theme): string[] => {
  const runs: Run[] = [];
  let column = 0;
  for (const { text, width, colour, bold, dim } of cells) {
    const last = runs.at(-1);
    const alike = last !== undefined && last.colour === colour && last.bold === bold && last.dim === dim;
    if (text.trim() !== "") {
      // A single space is a part of the run; more of them are a place to go to.
      const gap = last === undefined ? -1 : column - last.end;
      if (alike && (gap === 0 || gap === 1)) {
        last.text += " ".repeat(gap) + text;
        last.end = column + width;
      } else runs.push({ start: column, end: column + width, text, colour, bold, dim });
    }
    column += width;
  }
  return runs.map(({ start, end, text, colour, bold, dim }) => {
    const fill = colour !== "own" ? ` fill="${colourOf(colour)}"` : dim ? ` fill="${theme.faint}"` : "";
    const at = `x="${round(EDGE + start * COLUMN)}" y="${y}" textLength="${round((end - start) * COLUMN)}"`;
    return `<text ${at}${fill}${bold ? ' font-weight="bold"' : ""}>${escaped(text)}</text>`;
  });
};

const round = (value: number): string => String(Math.round(value * 100) / 100);

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
