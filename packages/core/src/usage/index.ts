export { BILL_KEYS, type Bill, type BillLine, billsOf } from "./bill.ts";
export { type KeepUsageOptions, type KeptUsage, keepUsage, pruneTime } from "./keep-usage.ts";
export { LATENCY_BOUNDS } from "./latency-buckets.ts";
export { isTimeKey, startOf, type TimeKey } from "./report-keys.ts";
export { DAY_MS, HOUR_MS } from "./report-plan.ts";
export { TOKEN_ENDS, type TokenEnd, type TokenEndWords, tokenEndWords } from "./token-end.ts";
export { trialName, triedClient } from "./trial-name.ts";
export { OUTCOMES, type Outcome, type UsageEvent, type UsageFilter } from "./usage-event.ts";
export {
  type CallKind,
  callKind,
  emptyTally,
  isTimed,
  latencyOf,
  sumTallies,
  USAGE_KEYS,
  type UsageKey,
  type UsageReport,
  type UsageReportQuery,
  type UsageRow,
  type UsageTally,
} from "./usage-report.ts";
export { newestBatches, type UsageMac, UsageSealer, usageMac } from "./usage-seal.ts";
export { type SumsTable, type UsageProblem, type UsageProof, verifyUsage } from "./verify-usage.ts";
export { COST, sumInWords, type Worth } from "./worth.ts";
