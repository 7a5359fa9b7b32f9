import type { ServiceFault, ServiceStatus } from "@aigw/core";
import { faultWords } from "@aigw/core/services";
import type { CallKind } from "@aigw/core/usage";
import { formatDuration } from "../terminal/output/time.ts";
import { times } from "../terminal/output/words.ts";

const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

export const total = (rows: readonly ServiceStatus[], field: "requests" | "timed" | CallKind): number =>
  rows.reduce((sum, { tally }) => sum + tally[field], 0);

/** ` by ann@ops`, or nothing. */
export const by = (act: { readonly actor: string } | undefined): string =>
  act === undefined ? "" : ` by ${act.actor}`;

/** The two most frequent reasons and what to do about them, each a sentence with a space before; a service's own errors have none. */
export const reasonsOf = (faults: readonly Pick<ServiceFault, "reason" | "calls">[], errors: number): string =>
  faults
    .slice(0, 2)
    .map(({ reason, calls }) => {
      const words = faultWords(reason);
      if (words === undefined) return "";
      return ` ${calls === errors && errors > 1 ? "Each time" : capitalised(times(calls))} ${words.what}. ${words.remedy}`;
    })
    .join("");

const LEAST_TIMEOUT_MS = 300_000;
const LONGEST_TIMEOUT_MS = 86_400_000;

/** The command that gives a service more time to answer than it has; undefined when it has all there can be. */
export const moreTime = (service: string, timeoutMs: number): string | undefined =>
  timeoutMs >= LONGEST_TIMEOUT_MS
    ? undefined
    : `aigw service set ${service} --timeout ${formatDuration(Math.min(LONGEST_TIMEOUT_MS, Math.max(LEAST_TIMEOUT_MS, timeoutMs * 2)))}`;

const MOST_LIMIT = 10_000_000;

/** The command that lets a client call twice as often; undefined when it has all there can be. */
export const moreCalls = (client: string, limit: number): string | undefined =>
  limit >= MOST_LIMIT ? undefined : `aigw client set ${client} --limit ${Math.min(MOST_LIMIT, limit * 2)}`;
