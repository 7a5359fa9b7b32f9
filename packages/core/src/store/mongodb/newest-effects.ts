import type { Collection } from "mongodb";
import { type ChangeDocument, type EffectDocument, PURGED, REMOVED, type SubjectKind } from "./change-document.ts";
import { translated } from "./translate-error.ts";

/** Everything there is of a hundred thousand clients takes longer than a command. Each step of it is bounded by itself. */
const ALL_PATIENCE_MS = 30_000;

/**
 * The newest effect on each subject that was not removed, in no order: the state that the log amounts to. One pass over
 * the log, on the server. One that is erased was superseded after the revision.
 * @param upTo the revision as of which
 */
export const newestEffects = async (
  changes: Collection<ChangeDocument>,
  kinds: readonly SubjectKind[],
  upTo: number,
): Promise<readonly EffectDocument[]> => {
  const ofKinds = { "effects.kind": { $in: kinds } };
  const steps = [
    { $match: { _id: { $lte: upTo }, ...ofKinds } },
    { $sort: { _id: -1 } },
    { $unwind: "$effects" },
    { $match: ofKinds },
    {
      $group: {
        _id: {
          kind: "$effects.kind",
          // Whatever key a change is about, it holds the whole keyring.
          subject: { $cond: [{ $eq: ["$effects.kind", "secret"] }, "", "$effects.subject"] },
        },
        newest: { $first: "$effects" },
      },
    },
    // One that is purged was removed after the revision.
    { $match: { "newest.after": { $nin: [REMOVED, PURGED] } } },
    { $replaceRoot: { newRoot: "$newest" } },
  ];
  // Nearly every change is about a client; those that are not are found by the index.
  const hint = kinds.includes("client") ? { _id: 1 } : "by_subject";
  const read = (): Promise<EffectDocument[]> =>
    changes.aggregate<EffectDocument>(steps, { hint, allowDiskUse: true, batchSize: 10_000 }).toArray();
  return translated(read, ALL_PATIENCE_MS);
};
