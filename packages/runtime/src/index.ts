export { type Gateway, type GatewayOptions, startGateway } from "./gateway.ts";
export type { GatewayWorker } from "./gateway-worker.ts";
