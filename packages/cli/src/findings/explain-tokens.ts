import type { Act, ClientFacts, RefusedCalls } from "@aigw/core";
import { standingOf } from "@aigw/core/clients";
import { verifies } from "@aigw/core/keys";
import { type TokenEnd, tokenEndWords } from "@aigw/core/usage";
import { grouped } from "../terminal/output/figures.ts";
import { counted } from "../terminal/output/words.ts";
import type { ClientFinding, ClientFindingCode } from "./explain-client.ts";
import type { When } from "./finding.ts";
import { by } from "./words.ts";

/** What happened to the client's tokens: first the calls that were refused for them, else the last one that is known. */
export const explainTokens = (facts: ClientFacts, when: When): readonly ClientFinding[] => {
  const { client, now } = facts;
  // Nothing about tokens is news then.
  if (standingOf(client, now) !== "active") return [];
  const refused = refusedTokens(facts, when);
  return refused.length > 0 ? refused : lastToken(facts, when);
};

const CODES: Readonly<Record<TokenEnd, ClientFindingCode>> = {
  client_revoked: "token_superseded",
  client_expired: "token_refused",
  token_superseded: "token_superseded",
  key_retired: "token_rotated",
  token_expired: "token_expired",
};

/** A client that logs in again when it gets 401 does as it should: one call an hour. */
const RENEWALS = 2;

const refusedTokens = (facts: ClientFacts, when: When): readonly ClientFinding[] => {
  const { refused, lastLetInAt = 0 } = facts;
  return refused.flatMap((calls): readonly ClientFinding[] => {
    const { status, reason, lastAt } = calls;
    if (status !== 401) return [];
    const isOver = lastLetInAt > lastAt;
    if (isOver && reason === "token_expired" && calls.calls <= RENEWALS) return [];
    // It was let in since: what an admin had ended is none of today's.
    if (isOver && (reason === "client_revoked" || reason === "client_expired")) return [];
    const code = (reason !== undefined && CODES[reason as TokenEnd]) || "token_refused";
    const isGoodNow = isOver || reason === "client_expired";
    return [{ code, severity: isGoodNow ? "warning" : "blocked", message: sentence(facts, calls, isOver, when) }];
  });
};

const sentence = (facts: ClientFacts, calls: RefusedCalls, isOver: boolean, when: When): string => {
  const { client, recent, lastLetInAt = 0 } = facts;
  const requests = recent.reduce((sum, { tally }) => sum + tally.requests, 0);
  const words = tokenEndWords(calls.reason);
  const why =
    calls.reason === "client_revoked"
      ? `${client.name} was revoked then; tokens from before are dead for good`
      : calls.reason === "client_expired"
        ? `${client.name}'s access had ended then, and has a later date by now`
        : `${words?.what ?? "the token was genuine, but not good any more"}${endedBy(facts, calls)}`;
  const since = isOver
    ? ` Its latest call, ${when(lastLetInAt)}, was let in: ${calls.reason === "client_expired" ? "a token is good again" : "another token is good, but some part of it may go on using the old one"}.`
    : ` ${calls.reason === "client_expired" ? "Its next call is let in." : "It has to log in again (POST /auth/token)."}`;
  return `${counted(calls.calls, "call")} of ${grouped(requests)} in the last 15 minutes got 401, the latest ${when(calls.lastAt)}: ${why}.${since}${isOver ? "" : loggedIn(facts, when)}`;
};

/** That it logged in and calls with what it had before. */
const loggedIn = ({ client, lastToken: token, keyring, now }: ClientFacts, when: When): string => {
  const key = keyring.find(({ kid }) => kid === token?.kid);
  const isGood =
    token !== undefined &&
    token.epoch === client.epoch &&
    token.expiresAt > now &&
    key !== undefined &&
    verifies(key, now);
  return isGood ? ` A good token was issued ${when(token.issuedAt)}, and is not what it calls with.` : "";
};

const endedBy = ({ acts }: ClientFacts, { reason, lastAt }: RefusedCalls): string => {
  const act =
    reason === "token_superseded"
      ? acts.find(({ action, at }) => ENDS_EPOCH.has(action) && at <= lastAt)
      : reason === "key_retired"
        ? acts.find(({ action, at }) => ENDS_KEY.has(action) && at <= lastAt)
        : undefined;
  return act === undefined ? "" : ` (${NAMES[act.action] ?? act.action}${by(act)})`;
};

const ENDS_EPOCH = new Set<Act["action"]>(["client.passwd", "client.restore", "client.revoke"]);
const ENDS_KEY = new Set<Act["action"]>(["secret.rotate", "secret.activate", "secret.restore"]);

const NAMES: Readonly<Partial<Record<Act["action"], string>>> = {
  "client.passwd": "new password",
  "client.restore": "restoration",
  "client.revoke": "revocation",
  "secret.rotate": "rotation",
  "secret.activate": "rotation",
  "secret.restore": "restored backup",
};

const lastToken = (facts: ClientFacts, when: When): readonly ClientFinding[] => {
  const { client, lastToken: token, keyring, now, acts, lastUsedAt } = facts;
  const { name } = client;
  if (token === undefined) {
    if (lastUsedAt !== undefined) return [];
    const message = `${name} has never logged in nor called anything, as far as is on record: the credentials may never have arrived, or be typed wrongly. Logins with a wrong password, and calls with a token that this store never issued, are on nobody's record.`;
    return [{ code: "no_login", severity: "blocked", message, command: `aigw onboard ${name} --email` }];
  }
  const login = `${name} has to log in again (POST /auth/token).`;
  const issued = `The last token was issued ${when(token.issuedAt)}`;
  // The first that came after it: those that followed found it dead.
  const ender = (ends: ReadonlySet<Act["action"]>): Act | undefined =>
    acts.findLast(({ action, at }) => ends.has(action) && at >= token.issuedAt);
  if (token.epoch !== client.epoch) {
    const act = ender(ENDS_EPOCH);
    const what = act === undefined ? "change" : (NAMES[act.action] ?? "change");
    return [
      {
        code: "token_superseded",
        severity: "blocked",
        message: `${issued}, before the ${what}${act === undefined ? "" : ` ${when(act.at)}`}${by(act)}, which ended it: ${login}`,
        command: `aigw audit list --subject ${name}`,
      },
    ];
  }
  const key = keyring.find(({ kid }) => kid === token.kid);
  if (key !== undefined && verifies(key, now)) return [];
  const act = ender(ENDS_KEY);
  return [
    {
      code: "token_rotated",
      severity: "blocked",
      message: `${issued} under a secret that was rotated out${act === undefined ? "" : ` ${when(act.at)}`}${by(act)}: ${login}`,
      command: "aigw secret list",
    },
  ];
};
