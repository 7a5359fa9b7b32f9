import { INSTANCE_GONE_MS } from "../acts/await-gateways.ts";
import { findClient } from "../acts/find.ts";
import { keyTime } from "../acts/key-time.ts";
import type { Action, Change } from "../changes/change.ts";
import { type Client, LIMIT_WINDOW_MS, limitOf } from "../clients/client.ts";
import type { Clock } from "../clock.ts";
import { type Keyring, type KeyTime, onWallClock } from "../keys/signing-key.ts";
import { counted, EMPTY_WINDOW, nextFreeAt, settle } from "../limits/permit-window.ts";
import type { SeenInstance, Store, TokenIssue } from "../store/store.ts";
import type { UsageEvent } from "../usage/usage-event.ts";
import type { UsageTally } from "../usage/usage-report.ts";
import { countFaults, type ServiceFault } from "./count-faults.ts";

/** What explains how a client fares. */
export interface ClientFacts {
  /** Wall clock, milliseconds since the epoch. */
  readonly now: number;
  readonly client: Client;
  /** The latest change of each action on this client. */
  readonly lastChange: Readonly<Partial<Record<Action, Act>>>;
  /** The latest rotation that ended earlier tokens. */
  readonly lastRotation: Act | undefined;
  /** Its times, and those of the token, as the wall clock has them. */
  readonly keyring: Keyring;
  /** The latest known; tokens that ran out are forgotten with the next login of anybody. */
  readonly lastToken: TokenIssue | undefined;
  readonly lastUsedAt: number | undefined;
  readonly permits: Permits;
  readonly services: readonly string[];
  /** The client's calls of the last {@link RECENT_MS}. */
  readonly recent: readonly ServiceStatus[];
  /** Everybody's calls of the last minute. */
  readonly lastMinute: readonly ServiceStatus[];
  /** Why those of them failed that did not get a whole answer of the service, most often first. */
  readonly lastFaults: readonly ServiceFault[];
  readonly gateways: readonly SeenInstance[];
}

export interface Act {
  readonly at: number;
  readonly actor: string;
}

export interface Permits {
  readonly limit: number;
  /** What counts in the window now; bundles that gateways hold for large limits count in full. */
  readonly used: number;
  /** Milliseconds until the next one is free; 0 while there is one. */
  readonly freeInMs: number;
}

export interface ServiceStatus {
  readonly service: string;
  readonly status: number;
  readonly tally: UsageTally;
}

export const RECENT_MS = 900_000;
const MINUTE_MS = 60_000;
const HISTORY = 200;
/** Calls of one service and status that are looked at for the reason of their failure: enough for the most frequent. */
const LOOKED_AT = 2_000;

/** @throws AigwError `not_found`, `store_*` */
export const readClientFacts = async (store: Store, clock: Clock, name: string): Promise<ClientFacts> => {
  const { control, traffic } = store;
  const client = await findClient(control, name);
  const time = keyTime({ store, clock });
  const now = time.wall;
  const changes = await control.latestChanges({ subject: name, limit: HISTORY });
  const recentChanges = await control.latestChanges({ limit: HISTORY });
  const issues = (await traffic.liveTokens(0)).filter((issue) => issue.clientId === client.id);
  const lastMinute = await callsSince(store, { since: now - MINUTE_MS });
  const lastUsedAt = (await traffic.lastUsage([name])).get(name);
  return {
    now,
    client,
    lastChange: latestByAction(changes),
    lastRotation: recentChanges.find(({ action }) => action === "secret.rotate" || action === "secret.activate"),
    keyring: onWallClock(await control.keyring(), time),
    lastToken: latestOf(issues, time),
    // A client of the same name before this one is somebody else.
    lastUsedAt: lastUsedAt !== undefined && lastUsedAt >= client.createdAt ? lastUsedAt : undefined,
    permits: await readPermits(store, client),
    services: (await control.services()).map((service) => service.name),
    recent: await callsSince(store, { client: name, since: Math.max(now - RECENT_MS, client.createdAt) }),
    lastMinute,
    lastFaults: await faultsSince(store, lastMinute, now - MINUTE_MS),
    gateways: await traffic.instances(INSTANCE_GONE_MS),
  };
};

const latestOf = (issues: readonly TokenIssue[], { wall, steady }: KeyTime): TokenIssue | undefined => {
  const latest = issues.toSorted((one, other) => other.issuedAt - one.issuedAt)[0];
  const onWall = (at: number): number => Math.round(at + wall - steady);
  return latest && { ...latest, issuedAt: onWall(latest.issuedAt), expiresAt: onWall(latest.expiresAt) };
};

const latestByAction = (changes: readonly Change[]): ClientFacts["lastChange"] => {
  const latest: Partial<Record<Action, Act>> = {};
  for (const { action, at, actor } of changes) latest[action] ??= { at, actor };
  return latest;
};

const readPermits = async ({ traffic }: Store, client: Client): Promise<Permits> => {
  const limit = limitOf(client);
  const now = traffic.steadyNow();
  const stored = (await traffic.permitWindow(client.id))?.window ?? EMPTY_WINDOW;
  const window = settle(stored, now, LIMIT_WINDOW_MS);
  const used = counted(window);
  const freeInMs = used < limit ? 0 : Math.max(1, nextFreeAt(window, limit, LIMIT_WINDOW_MS) - now);
  return { limit, used, freeInMs };
};

const callsSince = async (
  { traffic }: Store,
  filter: { readonly client?: string; readonly since: number },
): Promise<readonly ServiceStatus[]> => {
  const { rows } = await traffic.usageReport({ by: ["service", "status"], filter });
  return rows.map(({ key: [service, status], tally }) => ({
    service: String(service),
    status: Number(status),
    tally,
  }));
};

/** The sums do not know why: the failed calls themselves are asked. */
const faultsSince = async (
  { traffic }: Store,
  calls: readonly ServiceStatus[],
  since: number,
): Promise<readonly ServiceFault[]> => {
  const failed: UsageEvent[] = [];
  for (const { service, status, tally } of calls) {
    if (tally.errors === 0) continue;
    const span = { filter: { service, status: { from: status, to: status }, since }, until: Number.MAX_SAFE_INTEGER };
    const { events } = await traffic.usageBetween(span, undefined, LOOKED_AT);
    failed.push(...events);
  }
  return countFaults(failed);
};
