export { type GatewayProof, isChallenge, newChallenge, proveGateway, provesGateway } from "./gateway-proof.ts";
export type { Sealer } from "./sealer.ts";
export { isTrialMark, TRIAL_FIELD, trialMark } from "./trial-mark.ts";
