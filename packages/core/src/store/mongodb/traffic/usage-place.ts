import { AigwError } from "../../../errors.ts";
import type { UsageFilter } from "../../../usage/usage-event.ts";

/** Most events of one batch. A place in the log is the batch's number times this, plus the event's place in the batch. */
export const BATCH = 1_000;

export const placeOf = (batch: number, k: number): number => batch * BATCH + k;

/** Behind all of the batch's events, however many it has. */
export const endOfBatch = (batch: number): number => batch * BATCH + BATCH - 1;

/** The first batch that may have events behind a place. */
export const batchBehind = (place: number): number => Math.floor((place + 1) / BATCH);

/** The batch that a place is in. */
export const batchOf = (place: number): number => Math.floor(place / BATCH);

/** Of an unwound event, in an aggregation. */
export const PLACE: Record<string, unknown> = { $add: [{ $multiply: ["$_id", BATCH] }, "$e.k"] };

export const parsePlace = (cursor: string): number => {
  if (/^[0-9]{1,15}$/.test(cursor)) return Number(cursor);
  throw notACursor(cursor);
};

export const notACursor = (cursor: string): AigwError =>
  new AigwError("invalid_value", `'${cursor}' is not a cursor of this store. Use one that it returned.`);

/** Conditions on an event by its field's name; empty when every one matches. */
export const eventConditions = ({ client, service, status, since }: UsageFilter): Record<string, unknown> => ({
  ...(client !== undefined && { client }),
  ...(service !== undefined && { service }),
  ...(status !== undefined && { status: { $gte: status.from, $lte: status.to } }),
  ...(since !== undefined && { at: { $gte: since } }),
});

/** The same on an unwound event. */
export const unwound = (conditions: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(conditions).map(([field, condition]) => [`e.${field}`, condition]));

/** Those batches alone that have a matching event: cheaper than to unwind all. */
export const withMatch = (conditions: Record<string, unknown>): Record<string, unknown> =>
  Object.keys(conditions).length === 0 ? {} : { e: { $elemMatch: conditions } };
