import { escapeText } from "./escape.ts";
import type { View } from "./view.ts";
import { displayWidth, padEnd } from "./width.ts";
import { wrap } from "./wrap.ts";

const GAP = 2;

/** `whole`: spaces in the value are a part of it, as in a password. */
export type Field = readonly [label: string, value: string, whole?: "whole"];

/**
 * `label  value` lines. Values are never cut: they are there to be copied. On a terminal sentences are broken at words,
 * and a value that is longer than its place is alone on a line below its label.
 */
export const renderFields = (view: View, fields: readonly Field[]): string => {
  const column = Math.max(...fields.map(([label]) => displayWidth(label))) + GAP;
  return fields
    .flatMap(([label, value, whole]) => {
      const text = value === "" ? "-" : escapeText(value);
      const [first = "", ...rest] = whole === undefined ? wrap(text, view.width - column) : [text];
      const beside = column + displayWidth(first) <= view.width;
      return [
        (view.style.dim(padEnd(label, column)) + (beside ? first : "")).trimEnd(),
        ...[...(beside ? [] : [first]), ...rest].map((line) => indented(line, column, view.width)),
      ];
    })
    .join("\n");
};

/** As far as the line allows it. */
const indented = (line: string, column: number, width: number): string => {
  const free = width - displayWidth(line);
  return " ".repeat(free >= column ? column : free >= GAP ? GAP : 0) + line;
};
