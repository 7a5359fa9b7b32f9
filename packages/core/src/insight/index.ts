export {
  type Act,
  type ClientFacts,
  RECENT_MS,
  type RefusedCalls,
  readClientFacts,
  type ServiceStatus,
} from "./client-facts.ts";
export { countFaults, type ServiceFault } from "./count-faults.ts";
export { hasWaitedOut, readTurnedAway, readWaits, type ServiceWaits, type TurnedAway } from "./queue-facts.ts";
export { type DayOfUse, type ReviewFacts, readReviewFacts } from "./review-facts.ts";
export { readServiceFacts, type ServiceUse } from "./service-facts.ts";
export { isMostOf, type MeteredCalls, readMeteredCalls } from "./unread-calls.ts";
