export type { Permit } from "./holding.ts";
export { Limiter, type LimiterOptions } from "./limiter.ts";
export type { Share } from "./share.ts";
