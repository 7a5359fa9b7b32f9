import type { Outcome, UsageEvent } from "@aigw/core";
import { escapeText } from "./escape.ts";
import { humanCost, humanUnits } from "./figures.ts";
import type { Tone } from "./style.ts";
import { rfc3339 } from "./time.ts";
import type { View } from "./view.ts";
import { displayWidth, truncate } from "./width.ts";

interface Layout {
  readonly title: string;
  /** 0: what is left of the line. */
  readonly width: number;
  /** On a terminal of few columns; the same unless given. */
  readonly narrow?: number;
  readonly right?: boolean;
  /** Never cut: a line of its own has what is wider than the column. */
  readonly key?: boolean;
  /** How the call ended: what the line's colour is for. */
  readonly tells?: boolean;
  readonly value: (event: UsageEvent) => string;
}

/** Every time shown is of the one zone that the store's days, reports and pipes go by. */
const TERMINAL_TIME: Layout = { title: "time", width: 9, value: (event) => `${rfc3339(event.at).slice(11, 19)}Z` };
const PIPE_TIME: Layout = { title: "time", width: 24, value: (event) => rfc3339(event.at) };

const COLUMNS: readonly Layout[] = [
  { title: "client", width: 12, narrow: 10, key: true, value: (event) => event.client },
  { title: "service", width: 10, narrow: 8, key: true, value: (event) => event.service },
  { title: "method", width: 6, value: (event) => event.method },
  { title: "status", width: 6, right: true, value: (event) => (event.status === 0 ? "-" : String(event.status)) },
  { title: "took", width: 9, narrow: 8, right: true, value: (event) => `${Math.round(event.latencyMs)} ms` },
  { title: "outcome", width: 14, narrow: 8, tells: true, value: (event) => event.outcome },
];

/** The reason, where there is one, says more. */
const reasonOrOutcome = ({ reason, outcome }: UsageEvent): string => reason ?? outcome;

/**
 * How many refused calls the line stands for: before what may be cut, and as a number of its own for a pipe. What the
 * call was worth stands behind the path where both have room.
 */
const terminalPath = (room: number): Layout => ({
  title: "path",
  width: 0,
  value: (event) => {
    const { count, path } = event;
    const whole = count === undefined ? path : `×${count} ${path}`;
    const worth = worthInWords(event);
    return worth !== "" && displayWidth(escapeText(whole)) + 2 + displayWidth(worth) <= room
      ? `${whole}  ${worth}`
      : whole;
  },
});

/** `1,204 input_tokens, 3 pages, cost 0.02`. */
const worthInWords = ({ units = {}, cost }: UsageEvent): string =>
  [
    ...Object.entries(units).map(([unit, value]) => `${humanUnits(value)} ${unit}`),
    ...(typeof cost === "number" ? [`cost ${humanCost(cost)}`] : []),
  ].join(", ");

const TERMINAL_END: Layout = {
  title: "outcome",
  width: 0,
  tells: true,
  value: (event) => (event.count === undefined ? reasonOrOutcome(event) : `×${event.count} ${reasonOrOutcome(event)}`),
};
const PIPE_PATH: Layout = { title: "path", width: 0, value: (event) => event.path };
const PIPE_COUNT: Layout = { title: "count", width: 0, value: ({ count = 1 }) => String(count) };

const TONES: Readonly<Record<Outcome, Tone>> = {
  ok: "green",
  denied: "yellow",
  limited: "yellow",
  revoked: "yellow",
  aborted: "dim",
  incomplete: "red",
  timeout: "red",
  upstream_error: "red",
};

export interface UsageTable {
  readonly head: string;
  /** On a terminal of its width, with the outcome's colour; for a pipe whole, an empty field as `-`. */
  line(event: UsageEvent): string;
}

/**
 * Lines are printed as they come, so the columns have their widths beforehand.
 * @param first what is known when the first of them is printed: names have the room that these need
 */
export const usageTable = (view: View, first: readonly UsageEvent[]): UsageTable => {
  const columns = columnsFor(view, first);
  const titles = columns.map(({ title }) => (view.isTerminal ? title : title.toUpperCase()));
  return {
    head: view.style.bold(join(view, columns, titles)),
    line: (event) =>
      join(
        view,
        columns,
        columns.map(({ value }) => escapeText(value(event)) || "-"),
        view.style[TONES[event.outcome] ?? "dim"],
      ),
  };
};

/** A name may take a quarter of the terminal. */
const withRoom = (view: View, column: Layout, first: readonly UsageEvent[]): Layout => {
  if (column.key !== true) return column;
  const most = Math.floor(view.width / 4);
  const fitting = first.map((event) => displayWidth(escapeText(column.value(event)))).filter((width) => width <= most);
  return { ...column, width: Math.max(column.width, ...fitting) };
};

const FEW_COLUMNS = 110;
/** With fewer left of the line, method and path leave: how a call ended is what it is for. */
const PATH_AT_LEAST = 8;

const columnsFor = (view: View, first: readonly UsageEvent[]): readonly Layout[] => {
  if (!view.isTerminal) return [PIPE_TIME, ...COLUMNS, PIPE_PATH, PIPE_COUNT];
  const columns = COLUMNS.map((column) => ({
    ...withRoom(view, view.width < FEW_COLUMNS ? { ...column, width: column.narrow ?? column.width } : column, first),
    value: column.title === "outcome" ? reasonOrOutcome : column.value,
  }));
  const taken = [TERMINAL_TIME, ...columns].reduce((sum, { width }) => sum + width + GAP.length, 0);
  const room = view.width - taken;
  if (room >= PATH_AT_LEAST) return [TERMINAL_TIME, ...columns, terminalPath(room)];
  return [TERMINAL_TIME, ...columns.filter(({ title }) => title !== "method" && title !== "outcome"), TERMINAL_END];
};

const GAP = "  ";

const join = (
  view: View,
  columns: readonly Layout[],
  values: readonly string[],
  tell: (text: string) => string = (text) => text,
): string => {
  const above: string[] = [];
  let left = view.width;
  const cells = columns.map(({ width, right, key, tells }, index) => {
    const value = spaceless(view, values[index] ?? "");
    const room = Math.min(width || left, left);
    left -= room + GAP.length;
    const isWhole = !view.isTerminal || displayWidth(value) <= room;
    if (!isWhole && key === true) above.push(value);
    const shown = isWhole ? value : key === true ? "" : truncate(value, room);
    const styled = tells === true ? tell(shown) : shown;
    const padding = " ".repeat(Math.max(0, width - displayWidth(shown)));
    return right === true ? padding + styled : styled + padding;
  });
  return [...above, cells.join(GAP).trimEnd()].join("\n");
};

/** In a pipe the fields are told apart by spaces, so that awk and sort can work on them. */
const spaceless = (view: View, value: string): string => (view.isTerminal ? value : value.replaceAll(" ", ""));

/** The day of an event in UTC, such as `2027-01-31`: a terminal's lines have the time of day alone. */
export const usageDay = ({ at }: Pick<UsageEvent, "at">): string => rfc3339(at).slice(0, 10);

/** The line above the first event of a day. */
export const dayLine = (view: View, day: string): string => view.style.dim(`${day} (UTC)`);
