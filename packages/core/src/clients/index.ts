export {
  type Client,
  type ClientStanding,
  DEFAULT_LIMIT,
  LIMIT_WINDOW_MS,
  limitOf,
  mayCall,
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
