import type { Collection } from "mongodb";
import type { UsageEvent } from "../../../usage/usage-event.ts";
import type { UsagePage, UsageSpan } from "../../store.ts";
import type { UsageBatch } from "./collections.ts";
import { inStrides } from "./in-strides.ts";
import { toEvent, type Unwound } from "./usage-log.ts";
import { eventConditions, notACursor, PLACE, placeOf, unwound, withMatch } from "./usage-place.ts";

/** Length of the first window that a page is looked for in. */
const FIRST_WINDOW_MS = 1_000;
/** The last moment there is, https://tc39.es/ecma262/#sec-time-values-and-time-range. */
const LAST_MS = 8.64e15;

/**
 * Pages by time and, within the same moment, by order of storage. An index over the events of batches gives them in no
 * order, so that each window is sorted by itself.
 */
export const readUsageSpan = async (
  usage: Collection<UsageBatch>,
  { filter, until }: UsageSpan,
  cursor: string | undefined,
  limit: number,
): Promise<UsagePage> => {
  const from = cursor === undefined ? { at: filter.since ?? 0, place: -1 } : parseMoment(cursor);
  const { since: _moment, ...rest } = filter;
  const found: Unwound[] = [];
  await inStrides(from.at, Math.min(until, LAST_MS), FIRST_WINDOW_MS, async (start, end) => {
    const conditions = { ...eventConditions(rest), at: { $gte: start, $lt: end } };
    const behind = { $or: [{ "e.at": { $gt: from.at } }, { $expr: { $gt: [PLACE, from.place] } }] };
    const page = usage.aggregate<Unwound>(
      [
        { $match: withMatch(conditions) },
        { $unwind: "$e" },
        { $match: { ...unwound(conditions), ...(start === from.at && behind) } },
        { $sort: { "e.at": 1, _id: 1, "e.k": 1 } },
        { $limit: limit - found.length },
      ],
      { allowDiskUse: true },
    );
    found.push(...(await page.toArray()));
    return found.length < limit;
  });
  const last = found.at(-1);
  const end = last === undefined ? from : { at: last.e.at, place: placeOf(last._id, last.e.k) };
  return { events: found.map(toEvent), cursor: `${end.at}/${end.place}` };
};

const REPEATED_AT_MOST = 10;

/** There is no index by request id, which every request would pay for: this reads all events since then. */
export const readUsageOfRequest = async (
  usage: Collection<UsageBatch>,
  requestId: string,
  since: number,
): Promise<readonly UsageEvent[]> => {
  const conditions = { at: { $gte: since }, requestId };
  const found = await usage
    .aggregate<Unwound>([
      { $match: withMatch(conditions) },
      { $unwind: "$e" },
      { $match: unwound(conditions) },
      { $sort: { "e.at": -1 } },
      { $limit: REPEATED_AT_MOST },
    ])
    .toArray();
  return found.map(toEvent);
};

const parseMoment = (cursor: string): { readonly at: number; readonly place: number } => {
  const [, at, place] = /^(\d+(?:\.\d+)?)\/(-1|\d{1,15})$/.exec(cursor) ?? [];
  if (at !== undefined && place !== undefined) return { at: Number(at), place: Number(place) };
  throw notACursor(cursor);
};
