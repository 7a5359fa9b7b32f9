export { FAULTS, type Fault, type FaultKind, type FaultWords, faultWords } from "./fault.ts";
export { openHeaders } from "./headers.ts";
export { parseDuration, parseHeaderName, parseServiceName, parseUpstreamUrl } from "./parse-service.ts";
export type { Service } from "./service.ts";
