import type { SeenInstance, ServiceFault } from "@aigw/core";
import { isSilent } from "@aigw/core/acts";
import { MILLION } from "@aigw/core/meters";
import type { SeenQueue } from "@aigw/core/queue";
import { downTargets } from "@aigw/core/services";
import { type QueueJson, queueJson } from "../json/queue.ts";
import { type DownTargetJson, downTargetJson } from "../json/service.ts";
import { rfc3339 } from "../terminal/output/time.ts";
import type { Snapshot, Stretch } from "./rolling-minute.ts";

export interface StretchJson {
  readonly name: string;
  readonly perSecond: number;
  readonly requests: number;
  readonly errors: number;
  readonly limited: number;
  readonly overQuota: number;
  readonly denied: number;
  readonly latencyMs: { readonly p50: number; readonly p99: number } | null;
  /** What they were worth, by unit, and cost: decimal numbers. */
  readonly units: Readonly<Record<string, number>>;
  readonly cost: number;
}

/** What `top --json` prints a line of each second: the last 60 s. */
export interface SnapshotJson {
  readonly at: string;
  readonly gateways: { readonly ready: number; readonly total: number; readonly droppedUsage: number };
  readonly all: Omit<StretchJson, "name">;
  readonly services: readonly StretchJson[];
  readonly clients: readonly StretchJson[];
  /** Why services failed, most often first. */
  readonly faults: readonly ServiceFault[];
  readonly targetsDown: readonly DownTargetJson[];
  readonly queues: readonly QueueJson[];
}

export const snapshotJson = (
  { at, all, services, clients, faults }: Snapshot,
  gateways: readonly SeenInstance[],
  queues: readonly SeenQueue[],
): SnapshotJson => {
  const { name: _all, ...rest } = stretchJson(all);
  return {
    at: rfc3339(at),
    gateways: {
      ready: gateways.filter((gateway) => gateway.state === "ready" && !isSilent(gateway)).length,
      total: gateways.length,
      droppedUsage: gateways.reduce((sum, { droppedUsage }) => sum + droppedUsage, 0),
    },
    all: rest,
    services: services.map(stretchJson),
    clients: clients.map(stretchJson),
    faults,
    targetsDown: downTargets(gateways.filter((gateway) => !isSilent(gateway))).map(downTargetJson),
    queues: queues.map(queueJson),
  };
};

const stretchJson = ({
  name,
  perSecond,
  requests,
  errors,
  limited,
  overQuota,
  denied,
  p50,
  p99,
  units,
  cost,
}: Stretch): StretchJson => ({
  name,
  perSecond,
  requests,
  errors,
  limited,
  overQuota,
  denied,
  latencyMs: p50 === undefined || p99 === undefined ? null : { p50, p99 },
  units: Object.fromEntries(Object.entries(units).map(([unit, millionths]) => [unit, millionths / MILLION])),
  cost: cost / MILLION,
});
