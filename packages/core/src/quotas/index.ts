export { AccountJournal } from "./account-journal.ts";
export { amountAsNumber, amountInWords, MAX_AMOUNT, MAX_STEPS, parseAmount, stepsOf } from "./amount.ts";
export { type CalendarPeriod, dayAfter, periodAt } from "./calendar.ts";
export { type GrantedAmount, grantInWords, parseGrant } from "./grant.ts";
export { type QuotaClaim, QuotaLedger, type QuotaLedgerOptions, type QuotaVerdict } from "./ledger.ts";
export {
  isSameSum,
  MAX_QUOTAS,
  parseQuotas,
  parseUnits,
  QUOTA_PERIODS,
  type Quota,
  type QuotaPeriod,
  quotaInWords,
  quotaSteps,
  quotasInWords,
  unitInWords,
} from "./quota.ts";
export type { QuotaCall } from "./quota-call.ts";
export { EMPTY_RECORD, type QuotaRecord } from "./quota-record.ts";
export { readStandings } from "./read-standings.ts";
export { parseReserves, type Reserve, reservesInWords } from "./reserve.ts";
export { type QuotaStanding, standingsOf } from "./standing.ts";
export { type CurrentQuota, currentQuotas, type QuotaTerms, quotaTerms } from "./terms.ts";
export { type TimeZone, timeZone } from "./time-zone.ts";
