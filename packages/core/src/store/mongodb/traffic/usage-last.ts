import { OUTCOMES } from "../../../usage/usage-event.ts";
import { isTimed } from "../../../usage/usage-report.ts";
import type { TrafficCollections } from "./collections.ts";
import { readFoldState } from "./usage-fold.ts";
import { batchBehind, PLACE } from "./usage-place.ts";

const REFUSED = OUTCOMES.filter((outcome) => !isTimed(outcome));

/**
 * What was folded is kept by client; what was not is looked through. Times only grow, so that what is folded in between
 * is at worst seen twice.
 * @param letIn only calls that were let through to a service
 */
export const readLastUsage = async (
  { usage, last, state }: TrafficCollections,
  clients: readonly string[],
  letIn: boolean,
): Promise<ReadonlyMap<string, number>> => {
  const { seq } = await readFoldState(state);
  const of = { $in: [...clients] };
  const unfolded = usage.aggregate<{ _id: string; at: number }>([
    { $match: { _id: { $gte: batchBehind(seq) } } },
    { $unwind: "$e" },
    {
      $match: {
        "e.client": of,
        $expr: { $gt: [PLACE, seq] },
        ...(letIn && { "e.outcome": { $nin: REFUSED } }),
      },
    },
    { $group: { _id: "$e.client", at: { $max: "$e.at" } } },
  ]);
  // The kept ones last: what left the unfolded ones by then is among them.
  const rest = await unfolded.toArray();
  const folded = await last.find({ _id: of }).toArray();
  const found = new Map<string, number>();
  const see = (client: string, at: number | undefined): void => {
    if (at !== undefined) found.set(client, Math.max(at, found.get(client) ?? at));
  };
  for (const { _id, at, letInAt } of folded) see(_id, letIn ? letInAt : at);
  for (const { _id, at } of rest) see(_id, at);
  return found;
};
