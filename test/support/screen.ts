import unicode11 from "@xterm/addon-unicode11";
import headless from "@xterm/headless";

/** One character cell or two, as a terminal shows it. */
export interface Cell {
  readonly text: string;
  /** Columns: 1 or 2. */
  readonly width: number;
  /** A number of the palette (0 to 255), or the terminal's own. */
  readonly colour: number | "own";
  readonly bold: boolean;
  readonly dim: boolean;
}

/** What the program wrote as one line, however many rows of the screen it takes. */
export interface Line {
  readonly text: string;
  /** More than 1: it was wider than the terminal. */
  readonly rows: number;
  readonly cells: readonly Cell[];
}

/** What a terminal of so many columns makes of a program's output: a real terminal's parser and width tables. */
export const linesOn = async (output: string, columns: number): Promise<readonly Line[]> => {
  const terminal = new headless.Terminal({ cols: columns, rows: 60, scrollback: 20_000, allowProposedApi: true });
  terminal.loadAddon(new unicode11.Unicode11Addon());
  terminal.unicode.activeVersion = "11";
  await new Promise<void>((done) => terminal.write(output, done));
  const { active } = terminal.buffer;
  const lines: { cells: Cell[]; rows: number }[] = [];
  for (let y = 0; y <= active.baseY + active.cursorY; y += 1) {
    const row = active.getLine(y);
    if (row === undefined) break;
    const cells: Cell[] = [];
    for (let x = 0; x < row.length; x += 1) {
      const cell = row.getCell(x);
      if (cell === undefined || cell.getWidth() === 0) continue;
      cells.push({
        text: cell.getChars() || " ",
        width: cell.getWidth(),
        colour: cell.isFgPalette() ? cell.getFgColor() : "own",
        bold: cell.isBold() !== 0,
        dim: cell.isDim() !== 0,
      });
    }
    const last = lines.at(-1);
    if (row.isWrapped && last !== undefined) {
      last.cells.push(...cells);
      last.rows += 1;
    } else lines.push({ cells, rows: 1 });
  }
  terminal.dispose();
  const shown = lines.map(({ cells, rows }) => ({
    cells,
    rows,
    text: cells
      .map(({ text }) => text)
      .join("")
      .trimEnd(),
  }));
  while (shown.at(-1)?.text === "") shown.pop();
  return shown;
};
