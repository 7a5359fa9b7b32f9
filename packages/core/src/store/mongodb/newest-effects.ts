import type { Collection } from "mongodb";
import { type ChangeDocument, PURGED, REMOVED, type SubjectKind } from "./change-document.ts";
import { translated } from "./translate-error.ts";

/** Everything there is of a hundred thousand clients takes longer than a command. Each step of it is bounded by itself. */
const ALL_PATIENCE_MS = 30_000;

export interface NewestEffect {
  readonly kind: SubjectKind;
  /** Empty for the kind `secret`: whatever key a change is about, it holds the whole keyring. */
  readonly subject: string;
  readonly after: string;
}

/**
 * The newest effect on each subject that was not removed, in no order: the state that the log amounts to. One pass over
 * the log, on the server.
 * @param upTo the revision as of which; the latest unless given
 */
export const newestEffects = async (
  changes: Collection<ChangeDocument>,
  kinds: readonly SubjectKind[],
  upTo: number = Number.MAX_SAFE_INTEGER,
): Promise<readonly NewestEffect[]> => {
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
          subject: { $cond: [{ $eq: ["$effects.kind", "secret"] }, "", "$effects.subject"] },
        },
        after: { $first: "$effects.after" },
      },
    },
    // One that is purged was removed by a later change, which this may not see.
    { $match: { after: { $nin: [REMOVED, PURGED] } } },
    { $project: { _id: 0, kind: "$_id.kind", subject: "$_id.subject", after: 1 } },
  ];
  // Nearly every change is about a client; those that are not are found by the index.
  const hint = kinds.includes("client") ? { _id: 1 } : "by_subject";
  const read = (): Promise<NewestEffect[]> =>
    changes.aggregate<NewestEffect>(steps, { hint, allowDiskUse: true, batchSize: 10_000 }).toArray();
  return translated(read, ALL_PATIENCE_MS);
};
