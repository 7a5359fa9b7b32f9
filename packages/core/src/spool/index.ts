export { type Spooled, type SpoolProblem, UsageSpool, type UsageSpoolOptions } from "./usage-spool.ts";
