import type { Collection } from "mongodb";
import { endOfRecord, type QuotaRecord } from "../../../quotas/quota-record.ts";
import type { VersionedQuotas } from "../../store.ts";
import { isDuplicateKey } from "../translate-error.ts";
import type { QuotaDocument } from "./collections.ts";
import { firstVersion } from "./permits.ts";

/** What the primary has at the moment: whether it is right is decided by the write that follows. */
export const readQuotas = async (
  quotas: Collection<QuotaDocument>,
  client: string,
): Promise<VersionedQuotas | undefined> => {
  const found = await quotas.findOne({ _id: client }, { readConcern: { level: "local" } });
  return found === null ? undefined : { version: found.v, record: found.r };
};

/** @param now steady milliseconds */
export const writeQuotas = async (
  quotas: Collection<QuotaDocument>,
  client: string,
  expectedVersion: number,
  record: QuotaRecord,
  now: number,
): Promise<boolean> => {
  const content = { r: record, endsAt: endOfRecord(record) };
  if (expectedVersion !== 0) {
    const { matchedCount } = await quotas.updateOne(
      { _id: client, v: expectedVersion },
      { $set: content, $inc: { v: 1 } },
    );
    return matchedCount === 1;
  }
  try {
    await quotas.insertOne({ _id: client, v: firstVersion(now), ...content });
    return true;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    return false;
  }
};

/** @param now steady milliseconds */
export const pruneQuotas = async (quotas: Collection<QuotaDocument>, now: number): Promise<void> => {
  // The end is looked at again for each when it goes.
  await quotas.deleteMany({ endsAt: { $lte: now } });
};
