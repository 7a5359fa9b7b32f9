import type { ClientFacts } from "@aigw/core";
import { gatewayName, isSilent } from "@aigw/core/acts";
import { standingOf } from "@aigw/core/clients";
import { mayCall } from "@aigw/core/plans";
import { grouped } from "../terminal/output/figures.ts";
import { counted, listed } from "../terminal/output/words.ts";
import { explainQuotas, overQuota } from "./explain-quotas.ts";
import { explainServices } from "./explain-services.ts";
import { explainTokens } from "./explain-tokens.ts";
import { bySeverity, type Finding, type When } from "./finding.ts";
import { by, moreCalls, total } from "./words.ts";

/** Closed and stable: scripts go by it. */
export type ClientFindingCode =
  | "revoked"
  | "expired"
  | "no_gateway"
  | "gateway_silent"
  | "gateway_draining"
  | "gateway_stale"
  | "gateway_behind"
  | "gateway_no_room"
  | "no_login"
  | "token_refused"
  | "token_superseded"
  | "token_rotated"
  | "token_expired"
  | "limit_reached"
  | "limited_lately"
  | "quota_used_up"
  | "quota_limited_lately"
  | "no_service"
  | "service_missing"
  | "service_not_allowed"
  | "service_unknown"
  | "service_busy"
  | "service_waits"
  | "service_failing"
  | "service_rejects"
  | "client_leaves"
  | "fine";

export type ClientFinding = Finding<ClientFindingCode>;

/** Why the client's calls succeed or fail now: what blocks them first. Never empty. */
export const explainClient = (facts: ClientFacts, when: When): readonly ClientFinding[] => {
  const found = bySeverity([
    ...standing(facts, when),
    ...gateways(facts),
    ...explainTokens(facts, when),
    ...limit(facts, when),
    ...explainQuotas(facts, when),
    ...explainServices(facts),
  ]);
  return found.length === 0 ? [fine(facts, when)] : found;
};

/** What happened, before anything is made of it. */
export const recentCalls = ({ client, recent, refused, lastLetInAt, lastUsedAt }: ClientFacts, when: When): string => {
  const { name } = client;
  const requests = total(recent, "requests");
  if (requests === 0) {
    const last =
      lastUsedAt === undefined ? "none is on record at all" : `the last one on record was ${when(lastUsedAt)}`;
    return `No call by ${name} in the last 15 minutes; ${last}.`;
  }
  const sums = [
    [
      "answered",
      requests -
        total(recent, "errors") -
        total(recent, "limited") -
        total(recent, "denied") -
        total(recent, "aborted"),
    ],
    ["failed at the service", total(recent, "errors")],
    ["over the limit", total(recent, "limited") - overQuota({ refused })],
    ["over a quota", overQuota({ refused })],
    ["refused", total(recent, "denied")],
    ["broken off by the client", total(recent, "aborted")],
  ] as const;
  const parts = sums.filter(([, calls]) => calls > 0);
  const counts =
    requests === 1
      ? (parts[0]?.[0] ?? "")
      : parts.map(([what, calls]) => (calls === requests ? `all ${what}` : `${grouped(calls)} ${what}`)).join(", ");
  const lastRefused = refused.toSorted((one, other) => other.lastAt - one.lastAt)[0];
  const latest =
    lastRefused !== undefined && lastRefused.lastAt > (lastLetInAt ?? 0)
      ? `the latest, ${when(lastRefused.lastAt)}, got ${lastRefused.status}`
      : `the latest was let in ${when(lastLetInAt ?? lastUsedAt ?? 0)}`;
  return `${counted(requests, "call")} by ${name} in the last 15 minutes: ${counts}; ${latest}.`;
};

const standing = ({ client, now, acts, refused }: ClientFacts, when: When): readonly ClientFinding[] => {
  const { name } = client;
  const found: ClientFinding[] = [];
  const isOver = client.expiresAt !== undefined && client.expiresAt <= now;
  const calls = refused.filter(({ status }) => status === 401);
  const lastAt = Math.max(...calls.map((call) => call.lastAt));
  const goesOn = calls.length === 0 ? "" : ` It still calls, last ${when(lastAt)}.`;
  if (client.status === "revoked") {
    const act = acts.find(({ action }) => action === "client.revoke");
    found.push({
      code: "revoked",
      severity: "blocked",
      message: `${name} was revoked ${when(client.revokedAt ?? act?.at ?? now)}${by(act)}: every token and every login is refused.${goesOn}`,
      command: `aigw client restore ${name}`,
    });
  }
  if (isOver) {
    found.push({
      code: "expired",
      severity: "blocked",
      message: `${name}'s access ended ${when(client.expiresAt ?? now)}: every token and every login is refused.${found.length === 0 ? goesOn : ""}`,
      command: `aigw client set ${name} --expires 30d`,
    });
  }
  return found;
};

/** Gateways report every second; one that missed two reports is busy, suspended or dead. */
const LATE_MS = 2_500;
/** A change is in force within a second; before that it is no news that it is not. */
const BEHIND_MS = 3_000;

const gateways = ({ gateways: seen, head, now }: ClientFacts): readonly ClientFinding[] => {
  if (seen.length === 0) {
    return [{ code: "no_gateway", severity: "blocked", message: "No gateway is running.", command: "aigw serve" }];
  }
  const late = seen.filter(({ lastSeenAgoMs }) => lastSeenAgoMs >= LATE_MS);
  const heard = seen.filter((gateway) => !late.includes(gateway));
  // Known to run: it may serve all the same.
  const silent = late.filter((gateway) => gateway.alive === true || isSilent(gateway));
  const lost = late.filter((gateway) => !silent.includes(gateway));
  const stale = heard.filter(({ state }) => state === "stale");
  const draining = heard.filter(({ state }) => state === "draining");
  const behind =
    now - head.at < BEHIND_MS
      ? []
      : heard.filter(({ state, appliedRev }) => state === "ready" && appliedRev < head.rev);
  const found: ClientFinding[] = [];
  const add = (
    code: ClientFindingCode,
    which: typeof seen,
    message: (names: string, one: boolean) => string,
    isOver = which.length === seen.length,
  ): void => {
    if (which.length === 0) return;
    const text = message(listed(which.map(gatewayName)), which.length === 1);
    found.push({ code, severity: isOver ? "blocked" : "warning", message: text, command: "aigw status" });
  };
  const lastHeard = (which: typeof seen): string =>
    `last heard of ${(Math.min(...which.map(({ lastSeenAgoMs }) => lastSeenAgoMs)) / 1_000).toFixed(1)} s ago`;
  add("gateway_silent", lost, (names, one) => `${names} ${one ? "was" : "were"} ${lastHeard(lost)}: killed, it seems.`);
  add(
    "gateway_silent",
    silent,
    (names, one) =>
      `${names} ${one ? "runs" : "run"}, as far as is known, and ${one ? "was" : "were"} ${lastHeard(silent)}: what is in force on ${one ? "it" : "them"} is not known.`,
    false,
  );
  add("gateway_stale", stale, (names, one) => `${names} cannot read the store and ${one ? "answers" : "answer"} 503.`);
  // One that ends while others run is how a restart looks.
  if (draining.length === seen.length)
    add("gateway_draining", draining, (names, one) => `${names} ${one ? "is" : "are"} ending and take no new calls.`);
  add(
    "gateway_behind",
    behind,
    (names, one) =>
      `${names} ${one ? "has" : "have"} not applied the newest changes: what is said here may not be in force on ${one ? "it" : "them"} yet.`,
    false,
  );
  return found;
};

const limit = ({ client, permits, recent, refused, limitSince }: ClientFacts, when: When): readonly ClientFinding[] => {
  const { name } = client;
  const command = moreCalls(name, permits.limit);
  const more = command === undefined ? {} : { command };
  if (permits.freeInMs > 0) {
    const message = `${permits.used} of ${permits.limit} permits are used; the next one is free in ${Math.ceil(permits.freeInMs / 1_000)} s. Until then calls get 429.`;
    return [{ code: "limit_reached", severity: "blocked", message, ...more }];
  }
  const limited = total(recent, "limited") - overQuota({ refused });
  const isOver = ({ status, reason }: (typeof refused)[number]): boolean =>
    status === 429 && reason !== "quota_exceeded";
  const lastAt = Math.max(...refused.filter(isOver).map((calls) => calls.lastAt));
  // Calls that another limit than today's refused say nothing about this one.
  if (limited <= 0 || lastAt < limitSince) return [];
  const message = `${counted(limited, "call")} of ${grouped(total(recent, "requests"))} in the last 15 minutes got 429, the latest ${when(lastAt)}: over the limit of ${permits.limit} in 60 s.`;
  return [{ code: "limited_lately", severity: "warning", message, ...more }];
};

const fine = ({ client, terms, permits, services, lastToken, now }: ClientFacts, when: When): ClientFinding => {
  const names = services.map(({ name }) => name).filter((service) => mayCall(terms, service));
  const used = `${permits.used} of ${permits.limit} permits are used`;
  const token =
    lastToken === undefined || standingOf(client, now) !== "active"
      ? ""
      : lastToken.expiresAt > now
        ? `, its token runs out ${when(lastToken.expiresAt)}`
        : `, its last token ran out ${when(lastToken.expiresAt)}, so it logs in before it calls`;
  const message = `Nothing stands in the way: ${client.name} may call ${listed(names)}, ${used}${token}.`;
  return { code: "fine", severity: "fine", message };
};
