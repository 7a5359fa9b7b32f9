import type { Collection } from "mongodb";
import { isAigwError } from "../../errors.ts";
import { type ChangeDocument, PURGED, REMOVED } from "./change-document.ts";
import { translated } from "./translate-error.ts";

/**
 * Purges what the log holds of clients that were removed, as far as that is still to be done: by this append, or by
 * somebody who was cut off. It does not matter how often, by how many at once, or whether a client's name is somebody
 * else's by now. What cannot be done is left to whoever comes next: the removal is in force all the same, and a user who
 * may only read must be able to open the store.
 */
export const purgeRemoved = async (changes: Collection<ChangeDocument>): Promise<void> => {
  try {
    await translated(async () => {
      for (const removal of await changes.find({ purgeDue: true }).toArray()) await purgeBefore(changes, removal);
    });
  } catch (error) {
    if (!isAigwError(error)) throw error;
  }
};

const purgeBefore = async (changes: Collection<ChangeDocument>, { _id, effects }: ChangeDocument): Promise<void> => {
  const removed = effects.filter(({ kind, after }) => kind === "client" && after === REMOVED);
  const subject = { $in: removed.map((effect) => effect.subject) };
  // A service may bear the same name; its changes stay.
  const held = { kind: "client", subject, after: { $nin: [REMOVED, PURGED] } } as const;
  await changes.updateMany(
    { _id: { $lt: _id }, effects: { $elemMatch: held } },
    { $set: { "effects.$[it].after": PURGED } },
    { arrayFilters: [{ "it.kind": "client", "it.subject": subject, "it.after": held.after }] },
  );
  await changes.updateOne({ _id }, { $unset: { purgeDue: "" } });
};
