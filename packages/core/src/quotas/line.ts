import { type Count, heldOf, type QuotaRecord, usedOf } from "./quota-record.ts";
import type { QuotaStanding } from "./standing.ts";
import type { CurrentQuota } from "./terms.ts";

/** One quota in its present period, as one gateway sees it. Amounts are steps. */
export interface Line extends CurrentQuota {
  /** By whomever, as the store has it. */
  used: number;
  /** Set aside by others, as the store has it. */
  others: number;
  /** Set aside by this gateway, as the store has it: so much it may let its calls use without asking. */
  held: number;
  /** Used here, and not known to be in the store. */
  pending: number;
  /** The most that calls under way may use, where their service says so; of `held`. */
  reserved: number;
  /** While the store is away: what this gateway may let its calls use beyond `held`. */
  allowance: number | undefined;
  /** Until then a call that needs so much is refused without asking the store; 0: it is asked. */
  refusedUntil: number;
  refusedNeed: number;
  /** The most that one call has used here. */
  largest: number;
}

export const newLine = (current: CurrentQuota): Line => ({
  ...current,
  used: 0,
  others: 0,
  held: 0,
  pending: 0,
  reserved: 0,
  allowance: undefined,
  refusedUntil: 0,
  refusedNeed: 0,
  largest: 0,
});

/** What this gateway may use without asking; below 0 when its calls used more than was set aside. */
export const available = ({ held, pending, reserved }: Line): number => held - pending - reserved;

/** What nobody has used and nobody else has set aside, and no call of this gateway either; may be below 0. */
export const leftOf = ({ limit, used, others, pending, reserved }: Line): number =>
  limit - used - others - pending - reserved;

/** Takes over what the store has. @param pending what it does not have, by the keys under which it is counted */
export const readLine = (
  line: Line,
  record: QuotaRecord,
  holder: string,
  pending: ReadonlyMap<string, Count>,
): void => {
  line.used = usedOf(record, line.countKeys);
  line.others = heldOf(record, line.sumKey, holder);
  line.held = record.holders[holder]?.held[line.sumKey]?.[0] ?? 0;
  line.pending = line.countKeys.reduce((sum, key) => sum + (pending.get(key)?.[0] ?? 0), 0);
};

/**
 * How much is set aside at once for calls to come, so that not each of them has to ask: less as the quota runs out, so
 * that at its end each call asks, and what a gateway that is killed had set aside is little.
 */
export const bundleOf = (limit: number, left: number): number =>
  Math.max(1, Math.floor(Math.min(limit / 240, left / 16)));

export const lineStanding = (line: Line): QuotaStanding => {
  const { quota, period, limit, used, pending, others, reserved } = line;
  return {
    units: quota.units,
    per: quota.per,
    limit,
    used: used + pending,
    reserved: others + reserved,
    left: Math.max(0, leftOf(line)),
    startedAt: period.start,
    resetsAt: period.end,
  };
};
