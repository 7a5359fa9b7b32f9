import type { Collection } from "mongodb";
import type { TokenIssue } from "../../store.ts";
import type { IssueRecord } from "./collections.ts";
import { writeAll } from "./write-all.ts";

/** Keeps the latest issue per client and key. */
export const recordTokenIssues = async (
  collection: Collection<IssueRecord>,
  issues: readonly TokenIssue[],
): Promise<void> => {
  const latest = new Map<string, TokenIssue>();
  for (const issue of issues) {
    const name = `${issue.clientId} ${issue.kid}`;
    const known = latest.get(name);
    if (known === undefined || issue.issuedAt >= known.issuedAt) latest.set(name, issue);
  }
  const writes = (upsert: boolean) =>
    [...latest.values()].map(({ clientId, kid, ...issue }) => ({
      updateOne: {
        filter: { _id: { c: clientId, k: kid }, issuedAt: { $lte: issue.issuedAt } },
        update: { $set: issue },
        upsert,
      },
    }));
  // A record that another gateway inserted between the look and the insertion may be the older one.
  if (!(await writeAll(collection, writes(true)))) await writeAll(collection, writes(false));
};

/** @param now steady milliseconds */
export const readLiveTokens = async (
  collection: Collection<IssueRecord>,
  now: number,
): Promise<readonly TokenIssue[]> => {
  const live = await collection.find({ expiresAt: { $gt: now } }, { sort: { _id: 1 } }).toArray();
  return live.map(({ _id: { c: clientId, k: kid }, epoch, issuedAt, expiresAt }) => ({
    clientId,
    kid,
    epoch,
    issuedAt,
    expiresAt,
  }));
};

/** Drops what had expired at `now`, steady milliseconds. */
export const pruneTokenIssues = async (collection: Collection<IssueRecord>, now: number): Promise<void> => {
  await collection.deleteMany({ expiresAt: { $lte: now } });
};
