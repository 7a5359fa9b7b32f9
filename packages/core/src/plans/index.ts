export { parsePlanName, parseWeight } from "./parse-plan.ts";
export type { Plan } from "./plan.ts";
export { readPlans, readTerms } from "./read-terms.ts";
export { DEFAULT_WEIGHT, mayCall, NO_QUOTA, type Terms, termsAmong, termsOf } from "./terms.ts";
