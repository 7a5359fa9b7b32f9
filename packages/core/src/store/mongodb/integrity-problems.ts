import type { Db } from "mongodb";
import { type ChangeDocument, changeOf } from "./change-document.ts";
import { type ControlCollections, controlCollections } from "./control-schema.ts";
import { INDEXES } from "./indexes.ts";
import { trafficCollections } from "./traffic/collections.ts";
import { endOfBatch } from "./traffic/usage-place.ts";
import { translated } from "./translate-error.ts";

/** It reads the whole log. */
const PATIENCE_MS = 120_000;

/** @returns what is wrong with a store, a line each; empty when it is sound */
export const integrityProblems = (db: Db): Promise<readonly string[]> =>
  translated(
    async () => [
      ...(await logProblems(controlCollections(db))),
      ...(await indexProblems(db)),
      ...(await usageProblems(db)),
    ],
    PATIENCE_MS,
  );

/** The log has every revision from 1 on, each can be read, and nothing waits to be erased. */
const logProblems = async ({ changes }: ControlCollections): Promise<readonly string[]> => {
  const problems: string[] = [];
  let expected = 1;
  for await (const change of changes.find({}, { sort: { _id: 1 } })) {
    if (change._id !== expected) {
      const missing = change._id - 1 === expected ? `${expected} is` : `${expected} to ${change._id - 1} are`;
      problems.push(`The change log has a gap: revision ${missing} missing.`);
    }
    expected = change._id + 1;
    if (!isReadable(change)) problems.push(`Revision ${change._id} of the change log cannot be read.`);
    if (change.due === true)
      problems.push(`What revision ${change._id} removed or replaced was not erased from the change log yet.`);
  }
  return problems;
};

const isReadable = (change: ChangeDocument): boolean => {
  try {
    return changeOf(change).effects.length > 0;
  } catch {
    return false;
  }
};

const indexProblems = async (db: Db): Promise<readonly string[]> => {
  const there = new Set((await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name));
  const each = INDEXES.map(async ({ collection, indexes }) => {
    if (indexes.length === 0) return [];
    const found = there.has(collection) ? await db.collection(collection).indexes() : [];
    return indexes
      .filter(({ name }) => !found.some((index) => index.name === name))
      .map(({ name }) => `The collection ${collection} lacks its index ${name}; a gateway that runs makes it anew.`);
  });
  return (await Promise.all(each)).flat();
};

/** What was counted was recorded before. */
const usageProblems = async (db: Db): Promise<readonly string[]> => {
  const { usage, state, hours, days, totals, dayTotals, months } = trafficCollections(db);
  const folded = await state.findOne({ _id: "usage" });
  const newest = await usage.findOne({}, { sort: { _id: -1 }, projection: { _id: 1 } });
  const end = endOfBatch(newest?._id ?? 0);
  const problems: string[] = [];
  const counted = Math.max(folded?.seq ?? -1, folded?.to ?? -1);
  if (counted > end) problems.push(`Usage is counted up to ${counted}, but recorded up to ${end} only.`);
  for (const sums of [hours, days, totals, dayTotals, months]) {
    const ahead = await sums.findOne({ cur: { $gt: counted } }, { projection: { _id: 1 } });
    if (ahead !== null) problems.push(`The sums in ${sums.collectionName} are ahead of what was counted.`);
  }
  return problems;
};
