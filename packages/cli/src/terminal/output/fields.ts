import { escapeText } from "./escape.ts";
import type { View } from "./view.ts";
import { displayWidth, padEnd } from "./width.ts";

/** `label  value` lines. Values are never cut: they are there to be copied. */
export const renderFields = (view: View, fields: readonly (readonly [label: string, value: string])[]): string => {
  const width = Math.max(...fields.map(([label]) => displayWidth(label)));
  return fields
    .map(([label, value]) => `${view.style.dim(padEnd(label, width))}  ${value === "" ? "-" : escapeText(value)}`)
    .join("\n");
};
