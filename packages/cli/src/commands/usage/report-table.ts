import { latencyOf, type UsageKey, type UsageRow, type UsageTally } from "@aigw/core/usage";
import { bar } from "../../output/bar.ts";
import { grouped, humanBytes, humanMs } from "../../output/figures.ts";
import { type Cell, type Column, renderTable } from "../../output/table.ts";
import { rfc3339 } from "../../output/time.ts";
import type { View } from "../../output/view.ts";

const BAR = 8;

/** What does not fit a narrow terminal is left out from the right; the totals are said in full elsewhere. */
export const renderReport = (
  view: View,
  by: readonly UsageKey[],
  rows: readonly UsageRow[],
  total: UsageTally,
): Promise<string> => {
  const greatest = Math.max(0, ...rows.map(({ tally }) => tally.requests));
  const body = rows.map(({ key, tally }) => [
    ...key.map((value, index) => keyText(view, by[index], value)),
    ...figures(view, tally, greatest),
  ]);
  const last = [...by.map((_, index) => (index === 0 ? "total" : "")), ...figures(view, total, 0)];
  return renderTable(view, columnsFor(view, by), [...body, last.map((cell) => bold(view, cell))]);
};

const columnsFor = (view: View, by: readonly UsageKey[]): readonly Column[] => [
  ...by.map((key) => ({ title: view.isTerminal && isTime(key) ? `${titled(key)} (UTC)` : titled(key) })),
  { title: "Requests", align: "right" },
  ...(view.isTerminal ? [{ title: "" }] : []),
  ...["Errors", "Limited", "p50", "p95", "Out", "In", "Mean", "Denied", "Aborted"].map(
    (title): Column => ({ title, align: "right" }),
  ),
];

const isTime = (key: UsageKey): boolean => key === "hour" || key === "day";

const titled = (key: UsageKey): string => `${key.charAt(0).toUpperCase()}${key.slice(1)}`;

const keyText = (view: View, key: UsageKey | undefined, value: string | number): string => {
  if (key === "status" && value === 0) return view.isTerminal ? "none" : "0";
  if (key === "day") return rfc3339(Number(value)).slice(0, 10);
  if (key !== "hour") return String(value);
  return view.isTerminal ? rfc3339(Number(value)).slice(5, 16).replace("T", " ") : rfc3339(Number(value));
};

const figures = (view: View, tally: UsageTally, greatest: number): readonly Cell[] => {
  const count = (value: number): string => (view.isTerminal ? grouped(value) : String(value));
  const bytes = (value: number): string => (view.isTerminal ? humanBytes(value) : String(value));
  const ms = (value: number | undefined): string => {
    if (value === undefined) return "";
    return view.isTerminal ? humanMs(value) : value.toFixed(2);
  };
  const latency = latencyOf(tally);
  return [
    count(tally.requests),
    ...(view.isTerminal ? [{ text: bar(tally.requests, greatest, BAR) || " ", tone: "cyan" as const }] : []),
    tally.errors === 0 ? "0" : { text: count(tally.errors), tone: "red" },
    tally.limited === 0 ? "0" : { text: count(tally.limited), tone: "yellow" },
    ms(latency?.p50),
    ms(latency?.p95),
    bytes(tally.bytesOut),
    bytes(tally.bytesIn),
    ms(latency?.mean),
    count(tally.denied),
    count(tally.aborted),
  ];
};

const bold = (view: View, cell: Cell): Cell => {
  const text = typeof cell === "string" ? cell : cell.text;
  return view.isTerminal && text !== "" ? { text, tone: "bold" } : text;
};
