export { AccountJournal } from "./account-journal.ts";
export { amountAsNumber, amountInWords, stepsOf } from "./amount.ts";
export { type CalendarPeriod, dayAfter, periodAt } from "./calendar.ts";
export { grantInWords, parseGrant } from "./grant.ts";
export { type QuotaClaim, QuotaLedger, type QuotaVerdict } from "./ledger.ts";
export {
  parseQuotas,
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
export { currentQuotas, type QuotaTerms, quotaTerms } from "./terms.ts";
export { type TimeZone, timeZone } from "./time-zone.ts";
