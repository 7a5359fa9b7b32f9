import { gatewayName } from "../acts/gateway-name.ts";
import { type Client, standingOf } from "../clients/client.ts";
import { verifies } from "../keys/signing-key.ts";
import type { ClientFacts, ServiceStatus } from "./client-facts.ts";
import { explainServices } from "./explain-services.ts";
import type { Finding, When } from "./finding.ts";

/** Closed and stable: scripts go by it. */
export type ClientFindingCode =
  | "revoked"
  | "expired"
  | "no_gateway"
  | "gateway_stale"
  | "gateway_no_room"
  | "no_login"
  | "token_superseded"
  | "token_rotated"
  | "token_expired"
  | "limit_reached"
  | "limited_lately"
  | "no_service"
  | "service_missing"
  | "service_not_allowed"
  | "service_unknown"
  | "service_failing"
  | "fine";

export type ClientFinding = Finding<ClientFindingCode>;

/** Why the client's calls succeed or fail now: what blocks them first. Never empty. */
export const explainClient = (facts: ClientFacts, when: When): readonly ClientFinding[] => {
  const found = [
    ...standing(facts, when),
    ...gateways(facts),
    ...token(facts, when),
    ...limit(facts),
    ...explainServices(facts),
  ];
  const ordered = [
    ...found.filter(({ severity }) => severity === "blocked"),
    ...found.filter(({ severity }) => severity === "warning"),
  ];
  return ordered.length === 0 ? [fine(facts, when)] : ordered;
};

const by = (act: { readonly actor: string } | undefined): string => (act === undefined ? "" : ` by ${act.actor}`);

const standing = ({ client, now, lastChange }: ClientFacts, when: When): readonly ClientFinding[] => {
  const { name } = client;
  const kind = standingOf(client, now);
  if (kind === "revoked") {
    const act = lastChange["client.revoke"];
    return [
      {
        code: "revoked",
        severity: "blocked",
        message: `${name} was revoked ${when(client.revokedAt ?? act?.at ?? now)}${by(act)}: every token and every login is refused.`,
        command: `aigw client restore ${name}`,
      },
    ];
  }
  if (kind !== "expired" || client.expiresAt === undefined) return [];
  return [
    {
      code: "expired",
      severity: "blocked",
      message: `${name}'s access ended ${when(client.expiresAt)}: every token and every login is refused.`,
      command: `aigw client set ${name} --expires 30d`,
    },
  ];
};

const gateways = ({ gateways: seen }: ClientFacts): readonly ClientFinding[] => {
  if (seen.length === 0) {
    return [{ code: "no_gateway", severity: "blocked", message: "No gateway is running.", command: "aigw serve" }];
  }
  const stale = seen.filter(({ state }) => state === "stale").map(gatewayName);
  if (stale.length === 0) return [];
  return [
    {
      code: "gateway_stale",
      severity: stale.length === seen.length ? "blocked" : "warning",
      message: `${stale.join(", ")} cannot read the store and answers 503.`,
      command: "aigw status",
    },
  ];
};

const token = (facts: ClientFacts, when: When): readonly ClientFinding[] => {
  const { client, lastToken, keyring, now, lastRotation } = facts;
  if (standingOf(client, now) !== "active") return [];
  const { name } = client;
  if (lastToken === undefined) {
    if (facts.lastUsedAt !== undefined) return [];
    const message = `${name} has never logged in nor called anything, as far as is on record. The credentials may never have arrived.`;
    return [{ code: "no_login", severity: "blocked", message, command: `aigw onboard ${name} --email` }];
  }
  const login = `${name} has to log in again (POST /auth/token).`;
  const issued = `The last token was issued ${when(lastToken.issuedAt)}`;
  if (lastToken.epoch !== client.epoch) {
    const { what, act } = endOfEpoch(facts);
    return [
      {
        code: "token_superseded",
        severity: "blocked",
        message: `${issued}, before the ${what}${act === undefined ? "" : ` ${when(act.at)}`}${by(act)}, which ended it: ${login}`,
        command: `aigw audit list --subject ${name}`,
      },
    ];
  }
  const key = keyring.find(({ kid }) => kid === lastToken.kid);
  if (key === undefined || !verifies(key, now)) {
    return [
      {
        code: "token_rotated",
        severity: "blocked",
        message: `${issued} under a secret that was rotated out${lastRotation === undefined ? "" : ` ${when(lastRotation.at)}`}${by(lastRotation)}: ${login}`,
        command: "aigw secret list",
      },
    ];
  }
  if (lastToken.expiresAt > now) return [];
  return [
    {
      code: "token_expired",
      severity: "warning",
      message: `The last token ran out ${when(lastToken.expiresAt)}: ${login}`,
    },
  ];
};

/** What raised the credential epoch last. */
const endOfEpoch = ({ lastChange }: ClientFacts): { what: string; act: { at: number; actor: string } | undefined } => {
  const acts = [
    { what: "new password", act: lastChange["client.passwd"] },
    { what: "restoration", act: lastChange["client.restore"] },
    { what: "revocation", act: lastChange["client.revoke"] },
  ];
  return (
    acts.toSorted((one, other) => (other.act?.at ?? 0) - (one.act?.at ?? 0))[0] ?? { what: "change", act: undefined }
  );
};

const limit = ({ client, permits, recent }: ClientFacts): readonly ClientFinding[] => {
  const command = `aigw client set ${client.name} --limit ${permits.limit * 2}`;
  if (permits.freeInMs > 0) {
    return [
      {
        code: "limit_reached",
        severity: "blocked",
        message: `${permits.used} of ${permits.limit} permits are used; the next one is free in ${Math.ceil(permits.freeInMs / 1_000)} s. Until then calls get 429.`,
        command,
      },
    ];
  }
  const limited = total(recent, "limited");
  if (limited === 0) return [];
  const message = `${limited} of ${total(recent, "requests")} calls in the last 15 minutes went over the limit of ${permits.limit} in 60 s and got 429.`;
  return [{ code: "limited_lately", severity: "warning", message, command }];
};

export const total = (rows: readonly ServiceStatus[], field: "requests" | "limited" | "denied" | "errors"): number =>
  rows.reduce((sum, { tally }) => sum + tally[field], 0);

const fine = ({ client, permits, services, lastUsedAt, lastToken, now }: ClientFacts, when: When): ClientFinding => {
  const used = `${permits.used} of ${permits.limit} permits are used`;
  const last = lastUsedAt === undefined ? "no call is on record yet" : `the last call was ${when(lastUsedAt)}`;
  const tokens =
    lastToken !== undefined && lastToken.expiresAt > now ? `, a token is good until ${when(lastToken.expiresAt)}` : "";
  const message = `Nothing stands in the way: ${client.name} may call ${reach(client, services)}, ${used}, ${last}${tokens}.`;
  return { code: "fine", severity: "fine", message };
};

const reach = (client: Client, services: readonly string[]): string =>
  services.filter((service) => client.services?.includes(service) ?? true).join(", ");
