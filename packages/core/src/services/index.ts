export { FAULTS, type Fault, type FaultKind, type FaultWords, faultWords } from "./fault.ts";
export { openHeaders } from "./headers.ts";
export {
  isHealthyStatus,
  parseCertificates,
  parseClientKey,
  parseConcurrency,
  parseDisabledMessage,
  parseHealthPath,
  parseHealthStatus,
  parseHostHeader,
  parseMaxHead,
  parseQueueLength,
  parseServerName,
  parseTargetWeight,
} from "./parse-reach.ts";
export { parseDuration, parseHeaderName, parseServiceName, parseUpstreamUrl } from "./parse-service.ts";
export { MAX_PRICE_LISTS, priceListsOf } from "./prices.ts";
export {
  MAX_EXAMPLE_BYTES,
  type PublicFacts,
  parseDescription,
  parseDocsUrl,
  parseExample,
} from "./public-facts.ts";
export {
  DEFAULT_CONNECT_TIMEOUT_MS,
  DEFAULT_IDLE_CONNECTION_MS,
  DEFAULT_MAX_HEAD_BYTES,
  DEFAULT_QUEUE,
  DEFAULT_QUEUE_WAIT_MS,
  type HealthCheck,
  type QueueSettings,
  type Reach,
  type SplitUrl,
  socketOf,
  splitUrl,
  type Target,
  targetsOf,
  weightOf,
} from "./reach.ts";
export { type DownTarget, downTargets, type SeenTarget, seenTargets, type TargetHealth } from "./seen-targets.ts";
export type { Service, StoredPriceList } from "./service.ts";
