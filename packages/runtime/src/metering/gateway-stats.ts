import { PROBLEM_CODES, type ProblemCode } from "../http-errors.ts";
import { TOKEN_ERROR_CODES, type TokenErrorCode } from "../login/credentials.ts";
import { CallStats } from "./call-stats.ts";
import { Histogram } from "./histogram.ts";
import { Tally } from "./tally.ts";

/** What the gateway was doing when the store failed it. */
export const STORE_OPERATIONS = ["follow", "record_usage", "report", "rehash", "prune", "permits", "jobs"] as const;
export type StoreOperation = (typeof STORE_OPERATIONS)[number];

export type LoginResultLabel = "ok" | TokenErrorCode;

/** Seconds: a batch of usage events. */
const FLUSH_BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

/** Everything this gateway counts since it started. Nothing in it is keyed by what a client can choose. */
export class GatewayStats {
  readonly calls: CallStats;
  /** Requests that belong to no client, by the reason of their refusal. */
  readonly strangers: Tally<ProblemCode> = new Tally<ProblemCode>(PROBLEM_CODES);
  readonly logins: Tally<LoginResultLabel>;
  /** By who answers them. */
  readonly preflights: Tally<"gateway" | "service"> = new Tally(["gateway", "service"]);
  readonly storeFaults: Tally<StoreOperation> = new Tally<StoreOperation>(STORE_OPERATIONS);
  /** Calls that went to another target, or to their service's fallback, by service. */
  readonly elsewhere: Tally<string> = new Tally();
  readonly flushes: Histogram = new Histogram(FLUSH_BOUNDS);
  tlsFailures = 0;

  constructor(isService: (name: string) => boolean) {
    this.calls = new CallStats(isService);
    this.logins = new Tally<LoginResultLabel>(["ok", ...TOKEN_ERROR_CODES]);
  }
}
