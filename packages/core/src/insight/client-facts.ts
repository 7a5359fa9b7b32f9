import { INSTANCE_GONE_MS } from "../acts/await-gateways.ts";
import { findClient } from "../acts/find.ts";
import { keyTime } from "../acts/key-time.ts";
import type { Action, Change } from "../changes/change.ts";
import { type Client, LIMIT_WINDOW_MS } from "../clients/client.ts";
import type { Clock } from "../clock.ts";
import { type Keyring, type KeyTime, onWallClock } from "../keys/signing-key.ts";
import { counted, EMPTY_WINDOW, nextFreeAt, settle } from "../limits/permit-window.ts";
import { type Terms, termsOf } from "../plans/terms.ts";
import { readStandings } from "../quotas/read-standings.ts";
import type { QuotaStanding } from "../quotas/standing.ts";
import type { Service } from "../services/service.ts";
import type { SeenInstance, Store, TokenIssue } from "../store/store.ts";
import type { UsageEvent } from "../usage/usage-event.ts";
import { isTimed } from "../usage/usage-report.ts";
import type { ServiceFault } from "./count-faults.ts";
import { limitChanges, limitSince } from "./limit-since.ts";
import { hasWaitedOut, readWaits, type ServiceWaits } from "./queue-facts.ts";
import { callsSince, eventsOf, faultsOf, type ServiceStatus } from "./recent-calls.ts";

export type { ServiceStatus } from "./recent-calls.ts";

/** What explains how a client fares. */
export interface ClientFacts {
  /** Wall clock, milliseconds since the epoch. */
  readonly now: number;
  readonly client: Client;
  /** What counts of it: its own, its plan's, or the default. */
  readonly terms: Terms;
  /** The latest 200 changes of the client and, within the store's latest 200, of the signing keys; newest first. */
  readonly acts: readonly Act[];
  /** Since when its limit is what it is. */
  readonly limitSince: number;
  /** Its times, and those of the token, as the wall clock has them. */
  readonly keyring: Keyring;
  /** The latest known, trials of the quick start left out; what ran out is forgotten with the next login of anybody. */
  readonly lastToken: TokenIssue | undefined;
  /** The latest call on record, let in or not. */
  readonly lastUsedAt: number | undefined;
  readonly permits: Permits;
  /** Where it stands with each of its quotas. */
  readonly quotas: readonly QuotaStanding[];
  readonly services: readonly Pick<Service, "name" | "timeoutMs" | "queue">[];
  /** How its calls waited for those that take only so many at once. */
  readonly waits: readonly ServiceWaits[];
  /** The client's calls of the last {@link RECENT_MS}. */
  readonly recent: readonly ServiceStatus[];
  /** Those of them that were not let in, the most first. */
  readonly refused: readonly RefusedCalls[];
  /** The latest of them that was let in. */
  readonly lastLetInAt: number | undefined;
  /** Why those of them failed that did not get a whole answer of the service, most often first. */
  readonly recentFaults: readonly ServiceFault[];
  /** Everybody's calls of the last minute, and why they failed. */
  readonly lastMinute: readonly ServiceStatus[];
  readonly lastFaults: readonly ServiceFault[];
  readonly gateways: readonly SeenInstance[];
  /** The newest revision, and when it was made. */
  readonly head: { readonly rev: number; readonly at: number };
}

export interface Act {
  readonly action: Action;
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

/** Calls that were answered alike without being let in: 401, 403, 404, 429, or 503 for want of room. */
export interface RefusedCalls {
  readonly status: number;
  /** Empty when there was no such service. */
  readonly service: string;
  /** See `TOKEN_ENDS`, and `FAULTS` for 503; `quota_exceeded`; `service_busy`; calls on record by an earlier version have none. */
  readonly reason: string | undefined;
  readonly calls: number;
  /** Those of them that had waited for their service, see {@link hasWaitedOut}. */
  readonly late?: number;
  readonly lastAt: number;
  /** Of the latest. */
  readonly path: string;
}

/** What "in the last 15 minutes" means. */
export const RECENT_MS = 900_000;
const MINUTE_MS = 60_000;
const HISTORY = 200;
/** Calls of a service and status that are looked at for one that was let in: others have the status of a refusal, too. */
const LOOKED_AT = 100;

/** @param zone of the setting timezone. @throws AigwError `not_found`, `store_*` */
export const readClientFacts = async (store: Store, clock: Clock, name: string, zone: string): Promise<ClientFacts> => {
  const { control, traffic } = store;
  const client = await findClient(control, name);
  const plan = client.plan === undefined ? undefined : await control.plan(client.plan);
  const terms = termsOf(client, plan);
  const time = keyTime({ store, clock });
  const now = time.wall;
  const changes = await control.latestChanges({ subject: name, limit: HISTORY });
  const newest = await control.latestChanges({ limit: HISTORY });
  const issues = (await traffic.liveTokens(0)).filter((issue) => issue.clientId === client.id);
  const lastUsedAt = (await traffic.lastUsage([name])).get(name);
  // A client of the same name before this one is somebody else.
  const since = Math.max(now - RECENT_MS, client.createdAt);
  const recent = await callsSince(traffic, { client: name, since });
  const minute = { since: now - MINUTE_MS };
  const lastMinute = await callsSince(traffic, minute);
  const services = await control.services();
  return {
    now,
    client,
    terms,
    acts: actsOf(changes, newest, client),
    limitSince: limitSince(await limitChanges(control, client, changes), client, plan),
    keyring: onWallClock(await control.keyring(), time),
    lastToken: latestOf(issues, time),
    lastUsedAt: lastUsedAt !== undefined && lastUsedAt >= client.createdAt ? lastUsedAt : undefined,
    permits: await readPermits(store, client.id, terms),
    quotas: await readStandings(store, client, terms.quota, zone),
    services,
    waits: await readWaits(traffic, services, name, since),
    recent,
    refused: await refusedOf(store, name, recent, services, since),
    lastLetInAt: await lastLetIn(store, name, recent, since),
    recentFaults: await faultsOf(traffic, recent, { client: name, since }),
    lastMinute,
    lastFaults: await faultsOf(traffic, lastMinute, minute),
    gateways: await traffic.instances(INSTANCE_GONE_MS),
    head: { rev: newest[0]?.rev ?? 0, at: newest[0]?.at ?? 0 },
  };
};

const latestOf = (issues: readonly TokenIssue[], { wall, steady }: KeyTime): TokenIssue | undefined => {
  const latest = issues.toSorted((one, other) => other.issuedAt - one.issuedAt)[0];
  const onWall = (at: number): number => Math.round(at + wall - steady);
  return latest && { ...latest, issuedAt: onWall(latest.issuedAt), expiresAt: onWall(latest.expiresAt) };
};

const actsOf = (ofClient: readonly Change[], ofAll: readonly Change[], client: Client): readonly Act[] =>
  [...actsIn(ofClient, "client.").filter(({ at }) => at >= client.createdAt), ...actsIn(ofAll, "secret.")]
    .toSorted((one, other) => other.rev - one.rev)
    .map(({ action, at, actor }) => ({ action, at, actor }));

const actsIn = (changes: readonly Change[], kind: string): readonly (Act & { readonly rev: number })[] =>
  changes.flatMap(({ rev, at, actor, effects }) =>
    effects.filter(({ action }) => action.startsWith(kind)).map(({ action }) => ({ rev, action, at, actor })),
  );

const readPermits = async ({ traffic }: Store, clientId: string, { limit }: Terms): Promise<Permits> => {
  const now = traffic.steadyNow();
  const stored = (await traffic.permitWindow(clientId))?.window ?? EMPTY_WINDOW;
  const window = settle(stored, now, LIMIT_WINDOW_MS);
  const used = counted(window);
  const freeInMs = used < limit ? 0 : Math.max(1, nextFreeAt(window, limit, LIMIT_WINDOW_MS) - now);
  return { limit, used, freeInMs };
};

/** The sums do not know why, nor when: the refused calls themselves are asked, which are a few a second at most. */
const refusedOf = async (
  { traffic }: Store,
  client: string,
  recent: readonly ServiceStatus[],
  services: readonly Pick<Service, "name" | "queue">[],
  since: number,
): Promise<readonly RefusedCalls[]> => {
  const queues = new Map(services.map(({ name, queue }) => [name, queue]));
  const groups = new Map<string, RefusedCalls>();
  for (const row of recent) {
    if (row.tally.denied + row.tally.limited === 0) continue;
    for await (const event of eventsOf(traffic, row, { client, since })) {
      if (!isRefused(event)) continue;
      const { status, service, reason, at, path, queuedMs, count = 1 } = event;
      const queue = queues.get(service);
      const key = `${status} ${service} ${reason}`;
      const known = groups.get(key);
      const calls = (known?.calls ?? 0) + count;
      const late = (known?.late ?? 0) + (queue !== undefined && hasWaitedOut(queuedMs, queue) ? count : 0);
      groups.set(key, { status, service, reason, calls, late, lastAt: Math.max(at, known?.lastAt ?? at), path });
    }
  }
  return [...groups.values()].sort((one, other) => other.calls - one.calls);
};

const isRefused = ({ outcome }: UsageEvent): boolean => !isTimed(outcome);

/** The latest of each service and status is near the end of the record: it costs no look at the whole. */
const lastLetIn = async (
  { traffic }: Store,
  client: string,
  recent: readonly ServiceStatus[],
  since: number,
): Promise<number | undefined> => {
  let last: number | undefined;
  for (const { service, status, tally } of recent) {
    if (tally.timed === 0) continue;
    const limit = tally.timed === tally.requests ? 1 : LOOKED_AT;
    const filter = { client, service, status: { from: status, to: status }, since };
    const { events } = await traffic.latestUsage(filter, limit);
    const at = events.findLast((event) => !isRefused(event))?.at;
    if (at !== undefined) last = Math.max(at, last ?? at);
  }
  return last;
};
