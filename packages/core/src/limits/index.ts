export type { Permit } from "./holding.ts";
export { Limiter, type LimiterOptions, type Share } from "./limiter.ts";
