export {
  type Client,
  type ClientStanding,
  DEFAULT_LIMIT,
  type Grant,
  LIMIT_WINDOW_MS,
  standingOf,
} from "./client.ts";
export {
  expiryDay,
  isClientName,
  isRelativeExpiry,
  parseClientName,
  parseEmail,
  parseExpiry,
  parseLimit,
  parseLine,
  parseServiceList,
} from "./parse-client.ts";
