import { rfc3339 } from "@aigw/core/date-time";
import type { View } from "./view.ts";

export { rfc3339 } from "@aigw/core/date-time";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const span = (ms: number): string => {
  if (ms < MINUTE) return `${Math.round(ms / 1000)} s`;
  if (ms < HOUR) return `${Math.round(ms / MINUTE)} min`;
  if (ms < 2 * DAY) return `${Math.round(ms / HOUR)} h`;
  return `${Math.round(ms / DAY)} d`;
};

/** `3 min ago`, `in 5 d`. */
export const relativeTime = (at: number, now: number): string => {
  if (Math.abs(at - now) < 1000) return "just now";
  return at > now ? `in ${span(at - now)}` : `${span(now - at)} ago`;
};

/** For people relative, for pipes exact. */
export const when = (view: View, at: number): string => (view.isTerminal ? relativeTime(at, view.now) : rfc3339(at));

/** `90s`, `5m`, `500ms`: as it is given on the command line. */
export const formatDuration = (ms: number): string => {
  if (ms % HOUR === 0) return `${ms / HOUR}h`;
  if (ms % MINUTE === 0) return `${ms / MINUTE}m`;
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
};
