import { setTimeout as delay } from "node:timers/promises";
import { type Collection, MongoServerError } from "mongodb";
import { AigwError } from "../../../errors.ts";
import type { UsageEvent, UsageFilter } from "../../../usage/usage-event.ts";
import type { UsagePage } from "../../store.ts";
import { COMMAND_PATIENCE_MS, isDuplicateKey } from "../translate-error.ts";
import type { StoredEvent, UsageBatch } from "./collections.ts";
import { inStrides } from "./in-strides.ts";
import {
  BATCH,
  batchBehind,
  batchOf,
  endOfBatch,
  eventConditions,
  PLACE,
  parsePlace,
  placeOf,
  unwound,
  withMatch,
} from "./usage-place.ts";

/** An unwound event and its batch. */
export interface Unwound {
  readonly _id: number;
  readonly e: StoredEvent;
}

export const toEvent = ({ e: { k: _place, ...event } }: Unwound): UsageEvent => event;

/** So many batches hold a page, as a rule. */
const FIRST_BATCHES = 1_000;

/** What another gateway is writing is durable some milliseconds later; at random, so that they do not meet each time. */
const DURABLE_AFTER_MS = 4;

const soon = async (deadline: number): Promise<void> => {
  if (performance.now() > deadline)
    throw new AigwError("store_unavailable", "The MongoDB servers do not confirm what others write. Try again.");
  await delay(Math.random() * DURABLE_AFTER_MS);
};

/** The usage events, and who may write the next batch of them. */
export class UsageLog {
  readonly #usage: Collection<UsageBatch>;
  /** The last batch that this process wrote, durably; undefined: others write too, or nothing is known. */
  #last: number | undefined;

  constructor(usage: Collection<UsageBatch>) {
    this.#usage = usage;
  }

  /** The newest batch's number, 0 for none. Never one that a failover could take back. */
  async head(): Promise<number> {
    const newest = await this.#usage.findOne({}, { sort: { _id: -1 }, projection: { _id: 1 } });
    return newest?._id ?? 0;
  }

  /** More than {@link BATCH} events are several batches: all or none of each. */
  async record(events: readonly UsageEvent[]): Promise<void> {
    // The index does not tell two events of one batch apart.
    const unique = [...new Map(events.toReversed().map((event) => [event.id, event])).values()].toReversed();
    for (let from = 0; from < unique.length; from += BATCH) await this.#insert(unique.slice(from, from + BATCH));
  }

  /**
   * The unique number is the compare-and-set: of several gateways one gets it, the others take the next. The one before
   * must be durable by then, or a failover could leave a gap behind that is filled when readers have gone past it.
   */
  async #insert(events: readonly UsageEvent[]): Promise<void> {
    const deadline = performance.now() + COMMAND_PATIENCE_MS;
    let left = events;
    while (left.length > 0) {
      const before = this.#last ?? (await this.head());
      this.#last = undefined;
      try {
        await this.#usage.insertOne({ _id: before + 1, e: left.map((event, k) => ({ k, ...event })) });
        this.#last = before + 1;
        return;
      } catch (error) {
        if (!isDuplicateKey(error)) throw error;
        if (isNumberTaken(error)) await this.#durable(before + 1, deadline);
        else left = await this.#unknown(left, deadline);
      }
    }
  }

  async #durable(batch: number, deadline: number): Promise<void> {
    while ((await this.head()) < batch) await soon(deadline);
  }

  /** Without those that are stored already, durably: by an attempt whose answer was lost, most likely. */
  async #unknown(events: readonly UsageEvent[], deadline: number): Promise<readonly UsageEvent[]> {
    const ids = events.map(({ id }) => id);
    const known = await this.#usage
      .aggregate<{ id: string }>([
        { $match: { "e.id": { $in: ids } } },
        { $unwind: "$e" },
        { $match: { "e.id": { $in: ids } } },
        { $project: { _id: 0, id: "$e.id" } },
      ])
      .toArray();
    if (known.length === 0) await soon(deadline);
    const found = new Set(known.map(({ id }) => id));
    return events.filter(({ id }) => !found.has(id));
  }

  async latest(filter: UsageFilter, limit: number): Promise<UsagePage> {
    const head = await this.head();
    const conditions = eventConditions(filter);
    const found: Unwound[] = [];
    // Backwards: so many batches behind the newest.
    await inStrides(0, limit > 0 ? head : 0, FIRST_BATCHES, async (from, to) => {
      const page = this.#usage.aggregate<Unwound>([
        { $match: { _id: { $gt: head - to, $lte: head - from }, ...withMatch(conditions) } },
        { $sort: { _id: -1 } },
        { $project: { e: { $reverseArray: "$e" } } },
        { $unwind: "$e" },
        { $match: unwound(conditions) },
        { $limit: limit - found.length },
      ]);
      found.push(...(await page.toArray()));
      return found.length < limit;
    });
    return { events: found.map(toEvent).reverse(), cursor: String(endOfBatch(head)) };
  }

  async after(cursor: string, filter: UsageFilter, limit: number): Promise<UsagePage> {
    const place = parsePlace(cursor);
    const head = await this.head();
    if (endOfBatch(head) <= place || limit === 0) return { events: [], cursor };
    const conditions = eventConditions(filter);
    const found: Unwound[] = [];
    await inStrides(batchBehind(place), head + 1, FIRST_BATCHES, async (from, to) => {
      const page = this.#usage.aggregate<Unwound>([
        { $match: { _id: { $gte: from, $lt: to }, ...withMatch(conditions) } },
        { $sort: { _id: 1 } },
        { $unwind: "$e" },
        { $match: { ...unwound(conditions), $expr: { $gt: [PLACE, place] } } },
        { $limit: limit - found.length },
      ]);
      found.push(...(await page.toArray()));
      return found.length < limit;
    });
    const last = found.at(-1);
    // A full page may have more behind it; else everything up to the newest was looked at.
    const end = found.length < limit || last === undefined ? endOfBatch(head) : placeOf(last._id, last.e.k);
    return { events: found.map(toEvent), cursor: String(end) };
  }

  /** The next events behind a place and up to another, in order, at most `limit`, and whether there are more. */
  async next(
    place: number,
    limit: number,
    to: number = Number.POSITIVE_INFINITY,
  ): Promise<{ readonly events: readonly Unwound[]; readonly more: boolean }> {
    const events: Unwound[] = [];
    const batches = this.#usage.find(
      { _id: { $gte: batchBehind(place), $lte: batchOf(to) } },
      { sort: { _id: 1 }, projection: COUNTED },
    );
    for await (const { _id, e = [] } of batches) {
      for (const event of e) {
        const at = placeOf(_id, event.k);
        if (at <= place || at > to) continue;
        if (events.length === limit) return { events, more: true };
        events.push({ _id, e: event });
      }
    }
    return { events, more: false };
  }
}

/** What sums are made of. */
const COUNTED = Object.fromEntries(
  [
    ...["k", "at", "client", "service", "status", "outcome", "latencyMs", "bytesIn", "bytesOut", "count"],
    ...["units", "metered", "model", "cost", "plan"],
  ].map((field) => [`e.${field}`, 1]),
);

const isNumberTaken = (error: unknown): boolean =>
  error instanceof MongoServerError && Object.hasOwn((error["keyPattern"] as object | undefined) ?? {}, "_id");
