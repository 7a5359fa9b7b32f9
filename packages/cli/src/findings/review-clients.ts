import type { Client, ReviewFacts } from "@aigw/core";
import { standingOf } from "@aigw/core/clients";
import { termsAmong } from "@aigw/core/plans";
import { faultWords } from "@aigw/core/services";
import { DAY_MS } from "@aigw/core/usage";
import { grouped } from "../terminal/output/figures.ts";
import { counted } from "../terminal/output/words.ts";
import { isUsedUp, moreOf, NEAR_QUOTA, standingInWords } from "./explain-quotas.ts";
import type { Finding, When } from "./finding.ts";
import { moreCalls } from "./words.ts";

/** Closed and stable: scripts go by it. */
export type ReviewCode =
  | "over_limit"
  | "near_limit"
  | "over_quota"
  | "near_quota"
  | "calls_failing"
  | "calls_refused"
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
    if (standing !== "active") return [...longGone(client, standing, facts.now, when), ...refusals(client, facts)];
    return [
      ...limits(client, facts, when),
      ...quotas(client, facts, when),
      ...oneOfEach([...use(client, facts, when), ...refusals(client, facts)]),
      ...failures(client, facts),
      ...expiry(client, facts, when),
      ...password(client, facts, when),
    ];
  });

/** What is known more exactly comes first. */
const oneOfEach = (findings: readonly ReviewFinding[]): readonly ReviewFinding[] =>
  findings.filter(({ code }, index) => findings.findIndex((other) => other.code === code) === index);

const longGone = (
  { name, revokedAt, expiresAt }: Client,
  standing: "revoked" | "expired",
  now: number,
  when: When,
): readonly ReviewFinding[] => {
  const since = standing === "revoked" ? revokedAt : expiresAt;
  if (since === undefined || now - since < LONG_GONE_DAYS * DAY_MS) return [];
  const what = standing === "expired" ? "expired" : "was revoked";
  const message = `${name} ${what} ${when(since)} and is still there, with its personal data.`;
  return [
    { client: name, code: `long_${standing}`, severity: "warning", message, command: `aigw client remove ${name}` },
  ];
};

const limits = (client: Client, { lastDay, plans }: ReviewFacts, when: When): readonly ReviewFinding[] => {
  const { name } = client;
  const day = lastDay.get(name)?.underLimit;
  if (day === undefined) return [];
  const { limit } = termsAmong(client, plans);
  const command = moreCalls(name, limit);
  const finding = (code: ReviewCode, message: string): readonly ReviewFinding[] => [
    { client: name, code, severity: "warning", message, ...(command !== undefined && { command }) },
  ];
  const { since, limited, requests, busiestHour } = day;
  // Calls before were judged by another limit.
  const span = since === undefined ? "in the last 24 hours" : `since its limit was set ${when(since)}`;
  if (limited > 0) {
    const message = `${grouped(limited)} of ${name}'s ${counted(requests, "call")} ${span} went over its limit of ${limit} in 60 s.`;
    return finding("over_limit", message);
  }
  const share = busiestHour / (limit * MINUTES_AN_HOUR);
  if (share < NEAR_LIMIT) return [];
  return finding(
    "near_limit",
    `${name} used ${Math.round(share * 100)} % of what its limit of ${limit} in 60 s lets through in an hour, in one clock hour ${span}.`,
  );
};

const quotas = ({ name }: Client, facts: ReviewFacts, when: When): readonly ReviewFinding[] =>
  (facts.quotas.get(name) ?? [])
    .filter(({ used, limit }) => used >= limit * NEAR_QUOTA)
    .map((standing) => ({
      client: name,
      code: isUsedUp(standing) ? "over_quota" : "near_quota",
      severity: "warning",
      message: `${name}'s quota ${standingInWords(standing, when)}.`,
      command: moreOf(name, standing),
    }));

const isMuch = (calls: number, of: number): boolean => calls >= FAILING.calls && calls >= of * FAILING.share;

const refusals = ({ name }: Client, { lastDay, turnedAway }: ReviewFacts): readonly ReviewFinding[] => {
  const { denied: all = 0, requests = 0 } = lastDay.get(name) ?? {};
  // For want of room is said of the service.
  const denied = all - (turnedAway.clients.get(name) ?? 0);
  if (!isMuch(denied, requests)) return [];
  const message = `${grouped(denied)} of ${name}'s ${counted(requests, "call")} in the last 24 hours were refused: token, service or permission.`;
  return [{ client: name, code: "calls_refused", severity: "warning", message, command: `aigw why ${name}` }];
};

const failures = ({ name }: Client, { lastDay, lastFaults }: ReviewFacts): readonly ReviewFinding[] => {
  const { errors = 0, requests = 0 } = lastDay.get(name) ?? {};
  if (!isMuch(errors, requests)) return [];
  const [most] = lastFaults.get(name) ?? [];
  const words = most && faultWords(most.reason);
  const lately = most && words ? ` Most often lately ${most.service}: ${words.what}. ${words.remedy}` : "";
  const message = `${grouped(errors)} of ${name}'s ${counted(requests, "call")} in the last 24 hours failed at the service.${lately}`;
  return [{ client: name, code: "calls_failing", severity: "warning", message, command: `aigw why ${name}` }];
};

const expiry = ({ name, expiresAt }: Client, { now }: ReviewFacts, when: When): readonly ReviewFinding[] => {
  if (expiresAt === undefined || expiresAt - now > EXPIRES_SOON_DAYS * DAY_MS) return [];
  const message = `${name}'s access ends ${when(expiresAt)}.`;
  const command = `aigw client set ${name} --expires 90d`;
  return [{ client: name, code: "expires_soon", severity: "warning", message, command }];
};

const use = (client: Client, facts: ReviewFacts, when: When): readonly ReviewFinding[] => {
  const { name, createdAt } = client;
  // A call before its time was made by another client of the same name.
  const own = (at: number | undefined): number | undefined => (at !== undefined && at >= createdAt ? at : undefined);
  const letIn = own(facts.lastLetInAt.get(name));
  const last = own(facts.lastUsedAt.get(name));
  if (letIn === undefined) return neverUsed(client, last, when);
  if (facts.now - letIn < IDLE_DAYS * DAY_MS) return [];
  // Somebody who calls and is refused is not idle.
  if (last !== undefined && facts.now - last < IDLE_DAYS * DAY_MS) {
    const message = `${name}'s last call that was let in was ${when(letIn)}; it has called since, last ${when(last)}, and was refused.`;
    return [{ client: name, code: "calls_refused", severity: "warning", message, command: `aigw why ${name}` }];
  }
  const message = `${name} called last ${when(last ?? letIn)}.`;
  return [{ client: name, code: "idle", severity: "warning", message, command: `aigw client revoke ${name}` }];
};

/** @param refused when it was last refused */
const neverUsed = (
  { name, createdAt, email, provenAt }: Client,
  refused: number | undefined,
  when: When,
): readonly ReviewFinding[] => {
  if (refused !== undefined) {
    const message = `${name} was added ${when(createdAt)} and none of its calls was ever let in; the last one was refused ${when(refused)}.`;
    return [{ client: name, code: "calls_refused", severity: "warning", message, command: `aigw why ${name}` }];
  }
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
