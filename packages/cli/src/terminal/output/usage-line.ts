import type { Outcome, UsageEvent } from "@aigw/core";
import { escapeText } from "./escape.ts";
import type { Tone } from "./style.ts";
import { rfc3339 } from "./time.ts";
import type { View } from "./view.ts";
import { padEnd, padStart, truncate } from "./width.ts";

/** Lines are printed as they come, so the columns have their widths beforehand. */
interface Layout {
  readonly title: string;
  readonly width: number;
  /** On a terminal of few columns; the same unless given. */
  readonly narrow?: number;
  readonly right?: boolean;
  readonly value: (event: UsageEvent) => string;
}

/** Every time shown is of the one zone that the store's days, reports and pipes go by. */
const TERMINAL_TIME: Layout = { title: "time", width: 9, value: (event) => `${rfc3339(event.at).slice(11, 19)}Z` };
const PIPE_TIME: Layout = { title: "time", width: 24, value: (event) => rfc3339(event.at) };

const COLUMNS: readonly Layout[] = [
  { title: "client", width: 12, narrow: 10, value: (event) => event.client },
  { title: "service", width: 10, narrow: 8, value: (event) => event.service },
  { title: "method", width: 6, value: (event) => event.method },
  { title: "status", width: 6, right: true, value: (event) => (event.status === 0 ? "-" : String(event.status)) },
  { title: "took", width: 9, narrow: 8, right: true, value: (event) => `${Math.round(event.latencyMs)} ms` },
  { title: "outcome", width: 14, narrow: 8, value: (event) => event.outcome },
];

/** The reason, where there is one, says more. */
const reasonOrOutcome = ({ reason, outcome }: UsageEvent): string => reason ?? outcome;

/** How many refused calls the line stands for: before what may be cut, and as a number of its own for a pipe. */
const TERMINAL_PATH: Layout = {
  title: "path",
  width: 0,
  value: ({ count, path }) => (count === undefined ? path : `×${count} ${path}`),
};
const TERMINAL_END: Layout = {
  title: "outcome",
  width: 0,
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

export const usageHead = (view: View): string => {
  const columns = columnsFor(view);
  const line = join(
    view,
    columns,
    columns.map(({ title }) => (view.isTerminal ? title : title.toUpperCase())),
  );
  return view.style.bold(line);
};

/** For a terminal cut to its width and coloured by outcome; for a pipe whole, an empty field as `-`. */
export const usageLine = (view: View, event: UsageEvent): string => {
  const columns = columnsFor(view);
  const line = join(
    view,
    columns,
    columns.map(({ value }) => escapeText(value(event)) || "-"),
  );
  return view.style[TONES[event.outcome] ?? "dim"](line);
};

const FEW_COLUMNS = 110;
/** With fewer, method and path leave: how a call ended is what the line is for. */
const FOR_ALL_COLUMNS = 72;

const columnsFor = (view: View): readonly Layout[] => {
  if (!view.isTerminal) return [PIPE_TIME, ...COLUMNS, PIPE_PATH, PIPE_COUNT];
  const columns = COLUMNS.map((column) =>
    column.title === "outcome" ? { ...column, value: reasonOrOutcome } : column,
  );
  const narrowed = columns.map((column) => ({ ...column, width: column.narrow ?? column.width }));
  if (view.width < FOR_ALL_COLUMNS) {
    return [TERMINAL_TIME, ...narrowed.filter(({ title }) => title !== "method" && title !== "outcome"), TERMINAL_END];
  }
  return [TERMINAL_TIME, ...(view.width < FEW_COLUMNS ? narrowed : columns), TERMINAL_PATH];
};

const join = (view: View, columns: readonly Layout[], values: readonly string[]): string => {
  const cells = columns.map(({ width, right }, index) => {
    const value = values[index] ?? "";
    const shown = view.isTerminal && width > 0 ? truncate(value, width) : spaceless(view, value);
    return right === true ? padStart(shown, width) : padEnd(shown, width);
  });
  const line = cells.join("  ").trimEnd();
  return Number.isFinite(view.width) ? truncate(line, view.width) : line;
};

/** In a pipe the fields are told apart by spaces, so that awk and sort can work on them. */
const spaceless = (view: View, value: string): string => (view.isTerminal ? value : value.replaceAll(" ", ""));

/** The day of an event in UTC, such as `2027-01-31`: a terminal's lines have the time of day alone. */
export const usageDay = ({ at }: Pick<UsageEvent, "at">): string => rfc3339(at).slice(0, 10);

/** The line above the first event of a day. */
export const dayLine = (view: View, day: string): string => view.style.dim(`${day} (UTC)`);
