export { amountAsNumber, amountInWords, MAX_AMOUNT, MAX_STEPS, parseAmount, stepsOf } from "./amount.ts";
export { type CalendarPeriod, periodAt } from "./calendar.ts";
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
export { parseReserves, type Reserve, reservesInWords } from "./reserve.ts";
export { isTimeZone, type TimeZone, timeZone } from "./time-zone.ts";
