import type { Client, Grant } from "../clients/client.ts";
import { type CalendarPeriod, periodAt } from "./calendar.ts";
import { grantedSteps } from "./grant.ts";
import { isSameSum, parseQuotas, parseUnits, type Quota } from "./quota.ts";
import { countKey, sumKey } from "./quota-record.ts";
import { type TimeZone, timeZone } from "./time-zone.ts";

/** What decides how much a client may use. Make one when something of it changes, and hand the same one to every call. */
export interface QuotaTerms {
  /** The client's id. */
  readonly client: string;
  readonly quotas: readonly Quota[];
  readonly grants: readonly Grant[];
  /** How often an admin has let the present periods start anew. */
  readonly resets: number;
  readonly zone: TimeZone;
}

/** A quota in the period that it is in. */
export interface CurrentQuota {
  readonly quota: Quota;
  readonly period: CalendarPeriod;
  /** With the grants in force; steps. */
  readonly limit: number;
  /** When the limit may change: at the period's end, or when a grant ends. */
  readonly until: number;
  /** Under which what is set aside is kept. */
  readonly sumKey: string;
  /** Under which its units are counted, in their order. */
  readonly countKeys: readonly string[];
}

/**
 * @param quota canonical, what counts in the end: see termsOf of plans; undefined: none
 * @param zone a name that parseTimezone takes
 * @returns undefined for a client without a quota. @throws AigwError `invalid_value` for a text that this build does not know
 */
export const quotaTerms = (
  { id, grants = [], quotaResets = 0 }: Pick<Client, "id" | "grants" | "quotaResets">,
  quota: string | undefined,
  zone: string,
): QuotaTerms | undefined => {
  const quotas = quota === undefined ? [] : parseQuotas(quota);
  if (quotas.length === 0) return undefined;
  return { client: id, quotas, grants, resets: quotaResets, zone: timeZone(zone) };
};

/** @param now the store's steady milliseconds */
export const currentQuotas = ({ quotas, grants, resets, zone }: QuotaTerms, now: number): readonly CurrentQuota[] =>
  quotas.map((quota) => {
    const period = periodAt(quota.per, zone, now);
    const inForce = grants.filter(({ unit, until }) => until > now && isSameSum(parseUnits(unit), quota.units));
    const label = resets === 0 ? period.label : `${period.label}~${resets}`;
    return {
      quota,
      period,
      limit: inForce.reduce((sum, grant) => sum + grantedSteps(grant), quota.limit),
      until: Math.min(period.end, ...inForce.map(({ until }) => until)),
      sumKey: sumKey(quota.units, label),
      countKeys: quota.units.map((unit) => countKey(unit, label)),
    };
  });
