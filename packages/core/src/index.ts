/** All of the core, for whoever does not mind loading it: the programs take the parts that they need. */
export * from "./acts/index.ts";
export * from "./changes/index.ts";
export * from "./clients/index.ts";
export { hashPassword, MAX_PASSWORD_LENGTH, needsRehash, verifyPassword } from "./clients/password.ts";
export * from "./clock.ts";
export * from "./config/index.ts";
export * from "./date-time.ts";
export * from "./errors.ts";
export * from "./home/index.ts";
export * from "./insight/index.ts";
export * from "./keys/index.ts";
export * from "./limits/index.ts";
export * from "./onboarding/index.ts";
export * from "./random-id.ts";
export type { Sealer } from "./sealing/sealer.ts";
export * from "./services/index.ts";
export * from "./store/index.ts";
export * from "./usage/index.ts";
