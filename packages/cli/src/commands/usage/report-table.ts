import { periodAt, timeZone } from "@aigw/core/quotas";
import {
  COST,
  isTimeKey,
  latencyOf,
  sumInWords,
  type UsageKey,
  type UsageRow,
  type UsageTally,
} from "@aigw/core/usage";
import { unitsOf } from "../../json/usage-report.ts";
import { bar } from "../../terminal/output/bar.ts";
import { grouped, humanBytes, humanCost, humanMs, humanUnits } from "../../terminal/output/figures.ts";
import { type Cell, type Column, GAP, renderTable } from "../../terminal/output/table.ts";
import { rfc3339 } from "../../terminal/output/time.ts";
import type { View } from "../../terminal/output/view.ts";
import { displayWidth } from "../../terminal/output/width.ts";
import { unitOf } from "./report-rows.ts";

const BAR = 8;

/** Every unit of the total by its name, and then the cost, unless some were asked for. */
export const shownUnits = (asked: readonly string[] | undefined, total: UsageTally): readonly string[] =>
  asked ?? [...unitsOf(total).map(([unit]) => unit), ...(total.priced > 0 ? [COST] : [])];

/**
 * What does not fit a narrow terminal is left out from the right; the totals are said in full elsewhere.
 * @param asked units that were asked for: they come first, and the bar is of the first of them
 */
export const renderReport = (
  view: View,
  by: readonly UsageKey[],
  rows: readonly UsageRow[],
  total: UsageTally,
  asked?: readonly string[],
  currency?: string,
): Promise<string> => {
  const units = shownUnits(asked, total).filter((unit) => !(unit in OWN_COLUMN));
  const first = asked?.[0] ?? "requests";
  const keys = rows.map(({ key }) => key.map((value, index) => keyText(view, by[index], value)));
  const titles = by.map((key) => (view.isTerminal && isTimeKey(key) ? `${titled(key)} (UTC)` : titled(key)));
  const hasBar = view.isTerminal && roomFor(titles, keys) <= view.width;
  const greatest = Math.max(0, ...rows.map(({ tally }) => Number(unitOf(tally, first))));
  const figuresOf = (tally: UsageTally, whole: number): readonly Cell[] => {
    const calls = figures(view, tally);
    const worth = units.map((unit) => unitCell(view, tally, unit));
    const drawn = hasBar ? [{ text: bar(Number(unitOf(tally, first)), whole, BAR) || " ", tone: "cyan" as const }] : [];
    return placed(view, asked, calls, worth, drawn);
  };
  const body = rows.map(({ tally }, index) => [...(keys[index] ?? []), ...figuresOf(tally, greatest)]);
  const last = [...by.map((_, index) => (index === 0 ? "total" : "")), ...figuresOf(total, 0)];
  const columns = placed<Column>(
    view,
    asked,
    ["Requests", ...COUNTS, ...OTHERS].map((title) => ({ title, align: "right" })),
    units.map((unit) => ({ title: unit === COST ? costTitle(view, currency) : unit, align: "right" })),
    hasBar ? [{ title: "" }] : [],
  );
  const named = titles.map((title): Column => ({ title, key: true }));
  return renderTable(view, [...named, ...columns], [...body, last.map((cell) => bold(view, cell))]);
};

/** A pipe's titles have no blanks. */
const costTitle = (view: View, currency: string | undefined): string =>
  view.isTerminal && currency !== undefined ? `Cost (${currency})` : "Cost";

const COUNTS = ["Errors", "Limited", "Denied"];
const OTHERS = ["p50", "p95", "Out", "In", "Mean", "Aborted"];

/** Units that have a column in every report. */
const OWN_COLUMN: Readonly<Record<string, string>> = { requests: "Requests", bytes_in: "In", bytes_out: "Out" };

/**
 * The figures of a row in their order: units that were asked for stand behind the requests, others behind the counts. In
 * a pipe they come last, so that what scripts have cut out keeps its column.
 */
const placed = <T>(
  view: View,
  asked: readonly string[] | undefined,
  [requests, ...calls]: readonly T[],
  units: readonly T[],
  drawn: readonly T[],
): readonly T[] => {
  const own = requests === undefined ? [] : [requests];
  if (!view.isTerminal) return [...own, ...calls, ...units];
  if (asked !== undefined) return [...own, ...drawn, ...units, ...calls];
  return [...own, ...drawn, ...calls.slice(0, COUNTS.length), ...units, ...calls.slice(COUNTS.length)];
};

/** Empty where nothing was read, or nothing priced: that is not 0. */
const unitCell = (view: View, tally: UsageTally, unit: string): string => {
  const sum = unit === COST ? (tally.priced > 0 ? tally.cost : undefined) : tally.units.get(unit);
  if (sum === undefined) return "";
  if (!view.isTerminal) return sumInWords(sum);
  return unit === COST ? humanCost(sum) : humanUnits(sum);
};

/** Columns that the keys, the bar and the counts take: a refused call is not left out for the sake of a bar. */
const roomFor = (titles: readonly string[], keys: readonly (readonly string[])[]): number => {
  const named = titles.map((title, index) =>
    Math.max(title.length, ...keys.map((key) => displayWidth(key[index] ?? ""))),
  );
  const widths = [...named, "Requests".length, BAR, ...COUNTS.map((title) => title.length)];
  return widths.reduce((sum, width) => sum + width + GAP, 1);
};

const titled = (key: UsageKey): string => `${key.charAt(0).toUpperCase()}${key.slice(1)}`;

const keyText = (view: View, key: UsageKey | undefined, value: string | number): string => {
  if (key === "status" && value === 0) return view.isTerminal ? "none" : "0";
  if (key === "hour" && view.isTerminal) return rfc3339(Number(value)).slice(5, 16).replace("T", " ");
  return key === undefined ? String(value) : String(plainKey(key, value));
};

/** A key for scripts: times as RFC 3339, as much of it as they are; a week as ISO 8601 has it, `2027-W05`. */
export const plainKey = (name: UsageKey, value: string | number): string | number => {
  if (!isTimeKey(name)) return value;
  const time = rfc3339(Number(value));
  if (name === "week") return periodAt("week", timeZone("UTC"), Number(value)).label;
  return { hour: time, day: time.slice(0, 10), month: time.slice(0, 7) }[name];
};

const figures = (view: View, tally: UsageTally): readonly Cell[] => {
  const count = (value: number): string => (view.isTerminal ? grouped(value) : String(value));
  const bytes = (value: number): string => (view.isTerminal ? humanBytes(value) : String(value));
  const ms = (value: number | undefined): string => {
    if (value === undefined) return "";
    return view.isTerminal ? humanMs(value) : value.toFixed(2);
  };
  const latency = latencyOf(tally);
  return [
    count(tally.requests),
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
