import { latencyOf, type UsageKey, type UsageRow, type UsageTally } from "@aigw/core/usage";
import { bar } from "../../terminal/output/bar.ts";
import { grouped, humanBytes, humanMs } from "../../terminal/output/figures.ts";
import { type Cell, type Column, GAP, renderTable } from "../../terminal/output/table.ts";
import { rfc3339 } from "../../terminal/output/time.ts";
import type { View } from "../../terminal/output/view.ts";
import { displayWidth } from "../../terminal/output/width.ts";

const BAR = 8;

/** What does not fit a narrow terminal is left out from the right; the totals are said in full elsewhere. */
export const renderReport = (
  view: View,
  by: readonly UsageKey[],
  rows: readonly UsageRow[],
  total: UsageTally,
): Promise<string> => {
  const keys = rows.map(({ key }) => key.map((value, index) => keyText(view, by[index], value)));
  const titles = by.map((key) => (view.isTerminal && isTime(key) ? `${titled(key)} (UTC)` : titled(key)));
  const hasBar = view.isTerminal && roomFor(titles, keys) <= view.width;
  const greatest = Math.max(0, ...rows.map(({ tally }) => tally.requests));
  const body = rows.map(({ tally }, index) => [
    ...(keys[index] ?? []),
    ...figures(view, tally, hasBar ? greatest : undefined),
  ]);
  const last = [...by.map((_, index) => (index === 0 ? "total" : "")), ...figures(view, total, hasBar ? 0 : undefined)];
  return renderTable(view, columnsFor(titles, hasBar), [...body, last.map((cell) => bold(view, cell))]);
};

const COUNTS = ["Errors", "Limited", "Denied"];

const columnsFor = (titles: readonly string[], hasBar: boolean): readonly Column[] => [
  ...titles.map((title) => ({ title, key: true })),
  { title: "Requests", align: "right" },
  ...(hasBar ? [{ title: "" }] : []),
  ...[...COUNTS, "p50", "p95", "Out", "In", "Mean", "Aborted"].map((title): Column => ({ title, align: "right" })),
];

/** Columns that the keys, the bar and the counts take: a refused call is not left out for the sake of a bar. */
const roomFor = (titles: readonly string[], keys: readonly (readonly string[])[]): number => {
  const named = titles.map((title, index) =>
    Math.max(title.length, ...keys.map((key) => displayWidth(key[index] ?? ""))),
  );
  const widths = [...named, "Requests".length, BAR, ...COUNTS.map((title) => title.length)];
  return widths.reduce((sum, width) => sum + width + GAP, 1);
};

const isTime = (key: UsageKey): boolean => key === "hour" || key === "day";

const titled = (key: UsageKey): string => `${key.charAt(0).toUpperCase()}${key.slice(1)}`;

const keyText = (view: View, key: UsageKey | undefined, value: string | number): string => {
  if (key === "status" && value === 0) return view.isTerminal ? "none" : "0";
  if (key === "day") return rfc3339(Number(value)).slice(0, 10);
  if (key !== "hour") return String(value);
  return view.isTerminal ? rfc3339(Number(value)).slice(5, 16).replace("T", " ") : rfc3339(Number(value));
};

/** @param greatest what a whole bar stands for; undefined: no bars */
const figures = (view: View, tally: UsageTally, greatest: number | undefined): readonly Cell[] => {
  const count = (value: number): string => (view.isTerminal ? grouped(value) : String(value));
  const bytes = (value: number): string => (view.isTerminal ? humanBytes(value) : String(value));
  const ms = (value: number | undefined): string => {
    if (value === undefined) return "";
    return view.isTerminal ? humanMs(value) : value.toFixed(2);
  };
  const latency = latencyOf(tally);
  return [
    count(tally.requests),
    ...(greatest === undefined ? [] : [{ text: bar(tally.requests, greatest, BAR) || " ", tone: "cyan" as const }]),
    tally.errors === 0 ? "0" : { text: count(tally.errors), tone: "red" },
    tally.limited === 0 ? "0" : { text: count(tally.limited), tone: "yellow" },
    tally.denied === 0 ? "0" : { text: count(tally.denied), tone: "yellow" },
    ms(latency?.p50),
    ms(latency?.p95),
    bytes(tally.bytesOut),
    bytes(tally.bytesIn),
    ms(latency?.mean),
    count(tally.aborted),
  ];
};

const bold = (view: View, cell: Cell): Cell => {
  const text = typeof cell === "string" ? cell : cell.text;
  return view.isTerminal && text !== "" ? { text, tone: "bold" } : text;
};
