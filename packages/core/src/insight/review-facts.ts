import type { Client } from "../clients/client.ts";
import type { Clock } from "../clock.ts";
import type { Plan } from "../plans/plan.ts";
import { readPlans } from "../plans/read-terms.ts";
import { termsAmong } from "../plans/terms.ts";
import { readStandings } from "../quotas/read-standings.ts";
import type { QuotaStanding } from "../quotas/standing.ts";
import type { Service } from "../services/service.ts";
import type { Store } from "../store/store.ts";
import { DAY_MS } from "../usage/report-plan.ts";
import type { UsageTally } from "../usage/usage-report.ts";
import { countFaults, type ServiceFault } from "./count-faults.ts";
import { limitChanges, limitSince } from "./limit-since.ts";
import { readTurnedAway, type TurnedAway } from "./queue-facts.ts";
import { type MeteredCalls, readMeteredCalls } from "./unread-calls.ts";

export interface ReviewFacts {
  readonly now: number;
  readonly clients: readonly Client[];
  /** By their names. */
  readonly plans: ReadonlyMap<string, Plan>;
  /** By name, ascending. */
  readonly services: readonly Service[];
  /** What the services' meters made of the last 24 hours. */
  readonly metered: readonly MeteredCalls[];
  /** In the last 24 hours. */
  readonly turnedAway: TurnedAway;
  /** By client name: where those that have a quota stand with each. */
  readonly quotas: ReadonlyMap<string, readonly QuotaStanding[]>;
  /** By client name, milliseconds since the epoch: the latest call on record, let in or not. */
  readonly lastUsedAt: ReadonlyMap<string, number>;
  /** The latest that was let in. */
  readonly lastLetInAt: ReadonlyMap<string, number>;
  /** By client name: the last 24 hours, or since the client was added. */
  readonly lastDay: ReadonlyMap<string, DayOfUse>;
  /** By client name: why the latest calls failed, most often first. */
  readonly lastFaults: ReadonlyMap<string, readonly ServiceFault[]>;
}

export interface DayOfUse {
  readonly requests: number;
  /** Calls at which the service failed. */
  readonly errors: number;
  /** Calls whose token, service or permission was refused. */
  readonly denied: number;
  /** Of the calls since the limit is what it is, or of the whole day. */
  readonly underLimit: {
    /** Milliseconds since the epoch; undefined: the whole of it. */
    readonly since: number | undefined;
    readonly requests: number;
    /** Calls refused with 429, but for those that a quota refused. */
    readonly limited: number;
    /** Calls admitted in the fullest clock hour. */
    readonly busiestHour: number;
  };
}

/** Single calls that are looked at, for why they failed. */
const LATEST = 5_000;
const HISTORY = 200;

/**
 * All that a review looks at. Costs two look-ups a client for its last use, one for the quotas of those that have any, a report over the last day's hours, and for
 * each client that met its limit a look at its changes.
 */
export const readReviewFacts = async (store: Store, clock: Clock, zone: string): Promise<ReviewFacts> => {
  const { control, traffic } = store;
  const now = clock.now();
  const clients = await control.clients();
  const plans = await readPlans(control, clients);
  const names = clients.map((client) => client.name);
  const since = now - DAY_MS;
  const { rows } = await traffic.usageReport({ by: ["client", "hour"], filter: { since } });
  const hours = Map.groupBy(rows, ({ key }) => String(key[0]));
  const lastDay = new Map<string, DayOfUse>();
  for (const client of clients) {
    const known = hours.get(client.name)?.map(({ tally }) => tally);
    if (known === undefined) continue;
    const all = client.createdAt <= since ? known : await hoursOf(store, client.name, client.createdAt);
    lastDay.set(client.name, await dayOf(store, client, plans, all, since));
  }
  const quotas = new Map<string, readonly QuotaStanding[]>();
  for (const client of clients) {
    const standings = await readStandings(store, client, termsAmong(client, plans).quota, zone);
    if (standings.length > 0) quotas.set(client.name, standings);
  }
  const { events } = await traffic.latestUsage({}, LATEST);
  const createdAt = new Map(clients.map((client) => [client.name, client.createdAt]));
  const theirs = events.filter(({ client, at }) => at >= Math.max(since, createdAt.get(client) ?? since));
  const lastFaults = new Map(
    [...Map.groupBy(theirs, ({ client }) => client)].map(([name, calls]) => [name, countFaults(calls)]),
  );
  const services = await control.services();
  return {
    now,
    clients,
    plans,
    services,
    turnedAway: await readTurnedAway(traffic, services, since),
    metered: await readMeteredCalls(traffic, since),
    quotas,
    lastUsedAt: await traffic.lastUsage(names),
    lastLetInAt: await traffic.lastUsage(names, { letIn: true }),
    lastDay,
    lastFaults,
  };
};

type Hours = readonly UsageTally[];

const hoursOf = async ({ traffic }: Store, client: string, since: number): Promise<Hours> => {
  const { rows } = await traffic.usageReport({ by: ["hour"], filter: { client, since } });
  return rows.map(({ tally }) => tally);
};

const dayOf = async (
  store: Store,
  client: Client,
  plans: ReadonlyMap<string, Plan>,
  hours: Hours,
  dayAgo: number,
): Promise<DayOfUse> => {
  const requests = total(hours, "requests");
  const day = { requests, errors: total(hours, "errors"), denied: total(hours, "denied") };
  const { limit, quota } = termsAmong(client, plans);
  const limits = async (of: Hours, from: number): Promise<Omit<DayOfUse["underLimit"], "since">> => {
    const all = limitsIn(of);
    const overQuota = all.limited > 0 && quota !== undefined ? await countOverQuota(store, client.name, from) : 0;
    return { ...all, limited: Math.max(0, all.limited - overQuota) };
  };
  const whole = { since: undefined, ...(await limits(hours, Math.max(dayAgo, client.createdAt))) };
  if (whole.limited === 0 && whole.busiestHour < limit) return { ...day, underLimit: whole };
  const changes = await store.control.latestChanges({ subject: client.name, limit: HISTORY });
  const plan = client.plan === undefined ? undefined : plans.get(client.plan);
  const since = limitSince(await limitChanges(store.control, client, changes), client, plan);
  if (since <= Math.max(dayAgo, client.createdAt)) return { ...day, underLimit: whole };
  return { ...day, underLimit: { since, ...(await limits(await hoursOf(store, client.name, since), since)) } };
};

/** The sums do not know why calls got 429: the calls themselves are asked, which are a few a second at most. */
const countOverQuota = async ({ traffic }: Store, client: string, since: number): Promise<number> => {
  const { events } = await traffic.latestUsage({ client, status: { from: 429, to: 429 }, since }, LATEST);
  return events.reduce((sum, { reason, count = 1 }) => (reason === "quota_exceeded" ? sum + count : sum), 0);
};

const limitsIn = (hours: Hours): Omit<DayOfUse["underLimit"], "since"> => ({
  requests: total(hours, "requests"),
  limited: total(hours, "limited"),
  busiestHour: Math.max(0, ...hours.map(({ timed }) => timed)),
});

const total = (hours: Hours, field: "requests" | "errors" | "denied" | "limited"): number =>
  hours.reduce((sum, tally) => sum + tally[field], 0);
