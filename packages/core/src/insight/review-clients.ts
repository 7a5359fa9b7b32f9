import { type Client, limitOf, standingOf } from "../clients/client.ts";
import { faultWords } from "../services/fault.ts";
import { DAY_MS } from "../usage/report-plan.ts";
import type { ServiceFault } from "./count-faults.ts";
import type { Finding, When } from "./finding.ts";

/** Closed and stable: scripts go by it. */
export type ReviewCode =
  | "over_limit"
  | "near_limit"
  | "calls_failing"
  | "expires_soon"
  | "never_used"
  | "never_proven"
  | "idle"
  | "old_password"
  | "long_expired"
  | "long_revoked";

export interface ReviewFinding extends Finding<ReviewCode> {
  readonly client: string;
}

export interface ReviewFacts {
  readonly now: number;
  readonly clients: readonly Client[];
  /** By client name, milliseconds since the epoch. */
  readonly lastUsedAt: ReadonlyMap<string, number>;
  /** By client name: the last 24 hours. */
  readonly lastDay: ReadonlyMap<string, DayOfUse>;
  /** By client name: why the latest calls failed, most often first. */
  readonly lastFaults: ReadonlyMap<string, readonly ServiceFault[]>;
}

export interface DayOfUse {
  /** Calls refused with 429. */
  readonly limited: number;
  readonly requests: number;
  /** Calls at which the service failed. */
  readonly errors: number;
  /** Calls admitted in the fullest clock hour. */
  readonly busiestHour: number;
}

export const IDLE_DAYS = 30;
export const OLD_PASSWORD_DAYS = 180;
export const EXPIRES_SOON_DAYS = 14;
export const LONG_GONE_DAYS = 30;
/** Of what the limit lets through in an hour. */
export const NEAR_LIMIT = 0.8;
/** Of a day's calls, and so many at least. */
export const FAILING = { share: 0.05, calls: 10 };

const MINUTES_AN_HOUR = 60;

/** What an admin should look at, client by client in their order; empty when there is nothing. */
export const reviewClients = (facts: ReviewFacts, when: When): readonly ReviewFinding[] =>
  facts.clients.flatMap((client) => {
    const standing = standingOf(client, facts.now);
    if (standing === "revoked") return longGone(client, client.revokedAt, "long_revoked", facts.now, when);
    if (standing === "expired") return longGone(client, client.expiresAt, "long_expired", facts.now, when);
    return [
      ...limits(client, facts),
      ...failures(client, facts),
      ...expiry(client, facts, when),
      ...use(client, facts, when),
      ...password(client, facts, when),
    ];
  });

const longGone = (
  { name }: Client,
  since: number | undefined,
  code: "long_expired" | "long_revoked",
  now: number,
  when: When,
): readonly ReviewFinding[] => {
  if (since === undefined || now - since < LONG_GONE_DAYS * DAY_MS) return [];
  const what = code === "long_expired" ? "expired" : "was revoked";
  const message = `${name} ${what} ${when(since)} and is still there, with its personal data.`;
  return [{ client: name, code, severity: "warning", message, command: `aigw client remove ${name}` }];
};

const limits = (client: Client, { lastDay }: ReviewFacts): readonly ReviewFinding[] => {
  const { name } = client;
  const day = lastDay.get(name);
  if (day === undefined) return [];
  const limit = limitOf(client);
  const more = { client: name, severity: "warning", command: `aigw client set ${name} --limit ${limit * 2}` } as const;
  if (day.limited > 0) {
    const message = `${day.limited} of ${name}'s ${day.requests} calls in the last 24 hours went over its limit of ${limit} in 60 s.`;
    return [{ ...more, code: "over_limit", message }];
  }
  const share = day.busiestHour / (limit * MINUTES_AN_HOUR);
  if (share < NEAR_LIMIT) return [];
  const message = `${name} used ${Math.round(share * 100)} % of what its limit of ${limit} in 60 s allows, over a whole hour of the last 24.`;
  return [{ ...more, code: "near_limit", message }];
};

const failures = ({ name }: Client, { lastDay, lastFaults }: ReviewFacts): readonly ReviewFinding[] => {
  const { errors = 0, requests = 0 } = lastDay.get(name) ?? {};
  if (errors < FAILING.calls || errors < requests * FAILING.share) return [];
  const [most] = lastFaults.get(name) ?? [];
  const words = most && faultWords(most.reason);
  const lately = most && words ? ` Lately most often because of ${most.service}: ${words.what}. ${words.remedy}` : "";
  const message = `${errors} of ${name}'s ${requests} calls in the last 24 hours got no good answer of the service.${lately}`;
  return [{ client: name, code: "calls_failing", severity: "warning", message, command: `aigw why ${name}` }];
};

const expiry = ({ name, expiresAt }: Client, { now }: ReviewFacts, when: When): readonly ReviewFinding[] => {
  if (expiresAt === undefined || expiresAt - now > EXPIRES_SOON_DAYS * DAY_MS) return [];
  const message = `${name}'s access ends ${when(expiresAt)}.`;
  const command = `aigw client set ${name} --expires 90d`;
  return [{ client: name, code: "expires_soon", severity: "warning", message, command }];
};

const use = (client: Client, { now, lastUsedAt }: ReviewFacts, when: When): readonly ReviewFinding[] => {
  const { name, createdAt } = client;
  const last = lastUsedAt.get(name);
  // A call before its time was made by another client of the same name.
  if (last === undefined || last < createdAt) return neverUsed(client, when);
  if (now - last < IDLE_DAYS * DAY_MS) return [];
  const message = `${name} called last ${when(last)}.`;
  return [{ client: name, code: "idle", severity: "warning", message, command: `aigw client revoke ${name}` }];
};

const neverUsed = ({ name, createdAt, email, provenAt }: Client, when: When): readonly ReviewFinding[] => {
  const command = `aigw onboard ${name} --email`;
  const unproven = email !== undefined && provenAt === undefined;
  const never: ReviewFinding = {
    client: name,
    code: "never_used",
    severity: "warning",
    message: `${name} was added ${when(createdAt)} and has never called anything.`,
    command,
  };
  if (!unproven) return [never];
  const message = `${name}'s e-mail was never proven: nobody has seen the quick start in it work with the present password.`;
  return [never, { client: name, code: "never_proven", severity: "warning", message, command }];
};

const password = ({ name, passwordChangedAt }: Client, { now }: ReviewFacts, when: When): readonly ReviewFinding[] => {
  if (now - passwordChangedAt < OLD_PASSWORD_DAYS * DAY_MS) return [];
  const message = `${name}'s password is from ${when(passwordChangedAt)}.`;
  return [{ client: name, code: "old_password", severity: "warning", message, command: `aigw client passwd ${name}` }];
};
