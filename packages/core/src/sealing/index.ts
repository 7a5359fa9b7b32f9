export { type GatewayProof, isChallenge, newChallenge, proveGateway, provesGateway } from "./gateway-proof.ts";
export type { Sealer } from "./sealer.ts";
