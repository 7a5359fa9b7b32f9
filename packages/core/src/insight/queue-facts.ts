import type { QueueSettings } from "../services/reach.ts";
import type { Service } from "../services/service.ts";
import type { TrafficStore } from "../store/store.ts";
import { isTimed } from "../usage/usage-report.ts";
import { callsSince, eventsOf, type ServiceStatus } from "./recent-calls.ts";

/** How a client's calls waited for a service. */
export interface ServiceWaits {
  readonly service: string;
  /** The latest that were let in, 200 at most, and those of them that waited. */
  readonly calls: number;
  readonly waited: number;
  /** Of those calls: how long each waited and took in all, on average, milliseconds. */
  readonly queuedMs: number;
  readonly latencyMs: number;
}

const LOOKED_AT = 200;

/** Of services that take only so many calls at once, those of which a call of the client waited. */
export const readWaits = async (
  traffic: Pick<TrafficStore, "latestUsage">,
  services: readonly Service[],
  client: string,
  since: number,
): Promise<readonly ServiceWaits[]> => {
  const found: ServiceWaits[] = [];
  for (const { name: service, queue } of services) {
    if (queue === undefined) continue;
    const { events } = await traffic.latestUsage({ client, service, since }, LOOKED_AT);
    const letIn = events.filter(({ outcome }) => isTimed(outcome));
    const waited = letIn.filter(({ queuedMs }) => queuedMs !== undefined);
    if (waited.length === 0) continue;
    const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / letIn.length;
    found.push({
      service,
      calls: letIn.length,
      waited: waited.length,
      queuedMs: mean(waited.map(({ queuedMs = 0 }) => queuedMs)),
      latencyMs: mean(letIn.map(({ latencyMs }) => latencyMs)),
    });
  }
  return found;
};

/** Calls that were refused because their service had no room, by its name and by the client's. */
export interface TurnedAway {
  readonly services: ReadonlyMap<string, number>;
  readonly clients: ReadonlyMap<string, number>;
  /** By service, those of them that had waited, see {@link hasWaitedOut}. */
  readonly late: ReadonlyMap<string, number>;
}

/** Whether a call that was refused had waited for about as long as it may: one that finds its queue full has not. */
export const hasWaitedOut = (queuedMs: number | undefined, { waitMs }: QueueSettings): boolean =>
  queuedMs !== undefined && queuedMs * 2 >= waitMs;

/** Of services that there are. */
export const readTurnedAway = async (
  traffic: Pick<TrafficStore, "usageReport" | "usageBetween">,
  services: readonly Service[],
  since: number,
): Promise<TurnedAway> => {
  const limited = new Map(services.flatMap(({ name, queue }) => (queue === undefined ? [] : [[name, queue]])));
  const counts = {
    services: new Map<string, number>(),
    clients: new Map<string, number>(),
    late: new Map<string, number>(),
  };
  if (limited.size === 0) return counts;
  const add = (to: Map<string, number>, name: string, count: number): void => {
    to.set(name, (to.get(name) ?? 0) + count);
  };
  const isOne = ({ service, status, tally }: ServiceStatus): boolean =>
    status === 503 && tally.denied > 0 && limited.has(service);
  for (const row of (await callsSince(traffic, { since })).filter(isOne)) {
    // The sums do not know why: the calls themselves are asked, which are a few a second at most.
    const queue = limited.get(row.service);
    for await (const { client, reason, queuedMs, count = 1 } of eventsOf(traffic, row, { since })) {
      if (reason !== "service_busy") continue;
      add(counts.services, row.service, count);
      add(counts.clients, client, count);
      if (queue !== undefined && hasWaitedOut(queuedMs, queue)) add(counts.late, row.service, count);
    }
  }
  return counts;
};
