import type { Collection } from "mongodb";
import { endOfRecord, type QuotaRecord } from "../../../quotas/quota-record.ts";
import type { VersionedQuotas } from "../../store.ts";
import type { QuotaDocument } from "./collections.ts";
import { readVersioned, writeVersioned } from "./versioned-records.ts";

export const readQuotas = async (
  quotas: Collection<QuotaDocument>,
  client: string,
): Promise<VersionedQuotas | undefined> => {
  const found = await readVersioned(quotas, client);
  return found === undefined ? undefined : { version: found.v, record: found.r };
};

/** @param now steady milliseconds */
export const writeQuotas = (
  quotas: Collection<QuotaDocument>,
  client: string,
  expectedVersion: number,
  record: QuotaRecord,
  now: number,
): Promise<boolean> => writeVersioned(quotas, client, expectedVersion, { r: record, endsAt: endOfRecord(record) }, now);
