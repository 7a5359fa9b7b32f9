import type { QuotaPeriod } from "./quota.ts";
import { heldOf, type QuotaRecord, usedOf } from "./quota-record.ts";
import { currentQuotas, type QuotaTerms } from "./terms.ts";

/** Where a client stands with one of its quotas. Amounts are steps of the units' counters. */
export interface QuotaStanding {
  readonly units: readonly string[];
  readonly per: QuotaPeriod;
  /** With the grants in force. */
  readonly limit: number;
  /** May be more than the limit, by the calls that were under way. */
  readonly used: number;
  /** By the gateways, for open calls and for those to come. */
  readonly reserved: number;
  /** Neither used nor set aside; at least 0. */
  readonly left: number;
  /** When the period began, and when it starts anew; milliseconds since the epoch. */
  readonly startedAt: number;
  readonly resetsAt: number;
}

/** As the store has it: what a gateway has counted in the last moment is not there yet. @param now steady milliseconds */
export const standingsOf = (terms: QuotaTerms, record: QuotaRecord, now: number): readonly QuotaStanding[] =>
  currentQuotas(terms, now).map(({ quota, period, limit, sumKey, countKeys }) => {
    const used = usedOf(record, countKeys);
    const reserved = heldOf(record, sumKey);
    const left = Math.max(0, limit - used - reserved);
    return {
      units: quota.units,
      per: quota.per,
      limit,
      used,
      reserved,
      left,
      startedAt: period.start,
      resetsAt: period.end,
    };
  });
