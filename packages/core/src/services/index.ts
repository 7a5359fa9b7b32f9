export { FAULTS, type Fault, type FaultKind, type FaultWords, faultWords } from "./fault.ts";
export { openHeaders } from "./headers.ts";
export { parseDuration, parseHeaderName, parseServiceName, parseUpstreamUrl } from "./parse-service.ts";
export { MAX_PRICE_LISTS, priceListsOf } from "./prices.ts";
export {
  MAX_EXAMPLE_BYTES,
  type PublicFacts,
  parseDescription,
  parseDocsUrl,
  parseExample,
} from "./public-facts.ts";
export type { Service, StoredPriceList } from "./service.ts";
