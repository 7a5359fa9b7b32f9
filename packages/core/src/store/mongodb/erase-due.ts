import type { Collection } from "mongodb";
import { type ChangeDraft, subjectOf } from "../../changes/change.ts";
import { SECRET_SETTINGS, withoutSecrets } from "../../changes/secrets.ts";
import { isAigwError } from "../../errors.ts";
import { type ChangeDocument, type EffectDocument, effectOf, PURGED, REMOVED } from "./change-document.ts";
import { translated } from "./translate-error.ts";

// A change is appended first, and what earlier ones must not hold any more because of it is erased then. It says so
// itself, until it is done: by its writer, or by whoever opens the store next. It does not matter how often that is
// done, by how many at once, or what has come after it.

/** Whether earlier changes may hold what this one ends. */
export const endsSecrets = ({ action, subject }: ChangeDraft): boolean => {
  switch (action) {
    case "client.add":
    case "service.add":
    case "secret.create":
      return false;
    case "config.set":
    case "config.unset":
      return SECRET_SETTINGS.has(subject);
    default:
      return true;
  }
};

/** What somebody could not finish. It is left to the next one when it cannot be done now: who only reads must not fail. */
export const eraseDue = async (changes: Collection<ChangeDocument>): Promise<void> => {
  try {
    await translated(async () => {
      const due = await changes.find({ due: true }, { sort: { _id: 1 } }).toArray();
      for (const change of due) await eraseBefore(changes, change);
    });
  } catch (error) {
    if (!isAigwError(error)) throw error;
  }
};

/** The same for one's own change, which is in force whether or not this succeeds. */
export const eraseFor = async (changes: Collection<ChangeDocument>, change: ChangeDocument): Promise<void> => {
  try {
    await translated(() => eraseBefore(changes, change));
  } catch (error) {
    if (!isAigwError(error)) throw error;
  }
};

const eraseBefore = async (changes: Collection<ChangeDocument>, { _id, effects }: ChangeDocument): Promise<void> => {
  await purge(changes, _id, effects);
  const subjects = new Set(effects.map((effect) => subjectOf(effectOf(effect))));
  // Until there is none: one that is read may be purged by somebody else before it is written.
  for (;;) {
    const query = { _id: { $lt: _id }, "effects.held": { $in: [...subjects] } };
    const holding = await changes.find(query, { projection: { effects: 1 } }).toArray();
    if (holding.length === 0) break;
    for (const older of holding) await erase(changes, older, subjects);
  }
  await changes.updateOne({ _id }, { $unset: { due: "" } });
};

/** All that the log holds of clients that are removed. */
const purge = async (
  changes: Collection<ChangeDocument>,
  rev: number,
  effects: readonly EffectDocument[],
): Promise<void> => {
  const removed = effects.filter(({ kind, after }) => kind === "client" && after === REMOVED);
  if (removed.length === 0) return;
  // A service may bear the same name; its changes stay.
  const subject = { $in: removed.map((effect) => effect.subject) };
  const after = { $nin: [REMOVED, PURGED] };
  await changes.updateMany(
    { _id: { $lt: rev }, effects: { $elemMatch: { kind: "client", subject, after } } },
    { $set: { "effects.$[it].after": PURGED }, $unset: { "effects.$[it].held": "", "effects.$[it].erased": "" } },
    { arrayFilters: [{ "it.kind": "client", "it.subject": subject, "it.after": after }] },
  );
};

/** A document of thousands is written anew each time, and what is said in one command has a limit, too. */
const AT_ONCE = 1_000;

/** As many of its effects as one write takes. */
const erase = async (
  changes: Collection<ChangeDocument>,
  { _id, effects }: Pick<ChangeDocument, "_id" | "effects">,
  subjects: ReadonlySet<string>,
): Promise<void> => {
  const still: Record<string, string> = {};
  const erased: Record<string, string | true> = {};
  const ended: Record<string, ""> = {};
  for (const [place, effect] of effects.entries()) {
    if (effect.held === undefined || !subjects.has(effect.held)) continue;
    if (Object.keys(still).length === AT_ONCE) break;
    const path = `effects.${place}`;
    still[`${path}.held`] = effect.held;
    erased[`${path}.after`] = JSON.stringify(withoutSecrets(effectOf(effect) as ChangeDraft).after);
    erased[`${path}.erased`] = true;
    ended[`${path}.held`] = "";
  }
  // As it was read, or not at all.
  await changes.updateOne({ _id, ...still }, { $set: erased, $unset: ended });
};
