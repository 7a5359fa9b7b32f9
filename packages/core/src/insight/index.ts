export { type ClientFacts, readClientFacts } from "./client-facts.ts";
export { countFaults, type ServiceFault } from "./count-faults.ts";
export { type ClientFinding, type ClientFindingCode, explainClient } from "./explain-client.ts";
export { explainRequest, type RequestFinding, type RequestFindingCode } from "./explain-request.ts";
export type { Finding, Severity, When } from "./finding.ts";
export { type ReviewCode, type ReviewFinding, reviewClients } from "./review-clients.ts";
export { readReviewFacts } from "./review-facts.ts";
