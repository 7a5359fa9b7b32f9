import { renderFields } from "./fields.ts";
import { renderTable } from "./table.ts";
import type { View } from "./view.ts";
import { displayWidth } from "./width.ts";

/** Borders and padding of a table of two columns. */
const FRAME = 7;

/** The table of what to share. Where it does not fit the terminal, plain lines: a password must never be cut. */
export const renderShared = async (
  view: View,
  rows: readonly (readonly [label: string, value: string])[],
): Promise<string> => {
  const columns = [{ title: "Item" }, { title: "What to share" }];
  const widest = (index: 0 | 1): number => Math.max(...rows.map((row) => displayWidth(row[index])));
  if (widest(0) + widest(1) + FRAME > view.width) return renderFields(view, rows);
  return renderTable(view, columns, rows);
};
