/** What a client is told about an error: by status, because that is what it sees first. */
export interface GuideError {
  readonly status: number;
  /** The gateway's own codes with this status; the tests hold them against the gateway's tables. */
  readonly codes: readonly string[];
  readonly advice: string;
}

export const GUIDE_ERRORS: readonly GuideError[] = [
  {
    status: 400,
    codes: ["invalid_request", "invalid_path", "unsupported_grant_type"],
    advice: "The request is malformed. The detail says what is wrong; sending it again does not help.",
  },
  {
    status: 401,
    codes: ["missing_token", "invalid_token"],
    advice: "The token is missing, expired or no longer valid. Get a new one and repeat the call.",
  },
  {
    status: 401,
    codes: ["invalid_client"],
    advice: "No token was given: the username or the password is wrong, or your access has ended.",
  },
  {
    status: 403,
    codes: ["insufficient_scope"],
    advice: "Your account may not call this service. Ask for access.",
  },
  {
    status: 404,
    codes: ["not_found", "unknown_service"],
    advice: "There is nothing at this address. Check the service's name.",
  },
  { status: 405, codes: ["method_not_allowed"], advice: "Use one of the methods that the Allow field names." },
  { status: 408, codes: ["request_timeout"], advice: "The request's header took too long to arrive. Try again." },
  { status: 413, codes: ["invalid_request"], advice: "The body of a token request is larger than 8 KiB." },
  { status: 417, codes: ["expectation_failed"], advice: "The only expectation that is met is 100-continue." },
  {
    status: 409,
    codes: ["no_result"],
    advice: "The job has no result: it is still to come, or there is none. The job's state says which.",
  },
  {
    status: 429,
    codes: ["rate_limited", "quota_exceeded", "slow_down"],
    advice:
      "Your limit or a quota is used up, or there were too many failed logins. Wait as many seconds as Retry-After says, then repeat.",
  },
  {
    status: 429,
    codes: ["too_many_jobs"],
    advice: "You have as many jobs as you may. Delete some whose results you have.",
  },
  { status: 431, codes: ["headers_too_large"], advice: "The header fields are larger than 16 KiB in all." },
  {
    status: 500,
    codes: ["internal_error"],
    advice: "The gateway failed. If it happens again, report it with the request_id.",
  },
  { status: 501, codes: ["not_implemented"], advice: "The request's method or transfer coding is not supported." },
  {
    status: 502,
    codes: ["upstream_unreachable", "upstream_invalid"],
    advice: "The service behind the gateway is down or gave an answer that is none. Try again later.",
  },
  {
    status: 503,
    codes: ["service_down", "service_disabled", "service_busy", "unavailable", "temporarily_unavailable"],
    advice:
      "The service is down, out of use or has all the calls it takes, or the gateway is busy or restarting. Try again after as many seconds as Retry-After says.",
  },
  {
    status: 504,
    codes: ["upstream_timeout"],
    advice: "The service took too long to begin its answer. Try again, or with less at once.",
  },
  {
    status: 507,
    codes: ["insufficient_storage"],
    advice: "There is no room to keep your job. Delete jobs whose results you have, or try again later.",
  },
];
