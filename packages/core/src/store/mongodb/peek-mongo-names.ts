import type { Db } from "mongodb";
import type { StoredNames } from "../engine.ts";
import { PURGED, REMOVED, type SubjectKind } from "./change-document.ts";
import { controlCollections } from "./control-schema.ts";
import { translated } from "./translate-error.ts";

/** Somebody waits at the prompt: rather no names than late ones. */
const PATIENCE_MS = 1_000;

export const peekMongoNames = (db: Db, prefix: string, limit: number): Promise<StoredNames> =>
  translated(async () => {
    const [clients, services, plans] = await Promise.all([
      namesOf(db, "client", prefix, limit),
      namesOf(db, "service", prefix, limit),
      namesOf(db, "plan", prefix, limit),
    ]);
    return { clients, services, plans };
  }, PATIENCE_MS);

const namesOf = async (db: Db, kind: SubjectKind, prefix: string, limit: number): Promise<readonly string[]> => {
  const named = { kind, subject: { $gte: prefix, $lt: `${prefix}\u{10ffff}` } };
  const steps = [
    { $match: { effects: { $elemMatch: named } } },
    { $sort: { _id: -1 } },
    { $unwind: "$effects" },
    { $match: { "effects.kind": kind, "effects.subject": named.subject } },
    { $group: { _id: "$effects.subject", after: { $first: "$effects.after" } } },
    { $match: { after: { $nin: [REMOVED, PURGED] } } },
    { $sort: { _id: 1 } },
    { $limit: limit },
    { $project: { _id: 1 } },
  ];
  const { changes } = controlCollections(db);
  const found = await changes.aggregate<{ _id: string }>(steps, { maxTimeMS: PATIENCE_MS }).toArray();
  return found.map(({ _id }) => _id);
};
