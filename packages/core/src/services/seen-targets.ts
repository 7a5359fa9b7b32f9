import type { SeenInstance } from "../store/store.ts";
import { targetsOf, weightOf } from "./reach.ts";
import type { Service } from "./service.ts";

/** `partly_down`: gateways differ. `unknown`: no gateway says anything. */
export type TargetHealth = "up" | "down" | "partly_down" | "drained" | "unknown";

/** A target of a service as the running gateways see it. */
export interface SeenTarget {
  readonly url: string;
  readonly weight: number;
  readonly state: TargetHealth;
  /** The latest change that any of them saw, milliseconds since the epoch; undefined when nobody knows. */
  readonly since: number | undefined;
  /** Of all of them. */
  readonly openCalls: number;
  /** Why it is down, as the first of them says. */
  readonly reason: string | undefined;
}

/** @param gateways those that run */
export const seenTargets = (service: Service, gateways: readonly SeenInstance[]): readonly SeenTarget[] =>
  targetsOf(service).map((target) => {
    const { url } = target;
    const seen = gateways.map(({ targets = [], startedAt }) => {
      const said = targets.find((one) => one.service === service.name && one.url === url);
      return said ?? { state: "up" as const, since: Math.max(startedAt, service.createdAt), openCalls: 0 };
    });
    const down = seen.filter(({ state }) => state === "down");
    const deciding = down.length > 0 ? down : seen;
    const reason = down.map((one) => ("reason" in one ? one.reason : undefined)).find((one) => one !== undefined);
    return {
      url,
      weight: weightOf(target),
      state: target.drained ? "drained" : healthOf(down.length, seen.length),
      since: deciding.length === 0 ? undefined : Math.max(...deciding.map(({ since }) => since)),
      openCalls: seen.reduce((sum, { openCalls }) => sum + openCalls, 0),
      reason,
    };
  });

const healthOf = (down: number, all: number): TargetHealth => {
  if (all === 0) return "unknown";
  if (down === 0) return "up";
  return down === all ? "down" : "partly_down";
};

/** A target that is down for one gateway at least. */
export interface DownTarget {
  readonly service: string;
  readonly url: string;
  /** Milliseconds since the epoch: the longest that any of them says. */
  readonly since: number;
  readonly reason: string | undefined;
  /** How many gateways say so. */
  readonly gateways: number;
}

/** Longest first. @param gateways those that run */
export const downTargets = (gateways: readonly Pick<SeenInstance, "targets">[]): readonly DownTarget[] => {
  const down = gateways.flatMap(({ targets = [] }) => targets.filter(({ state }) => state === "down"));
  const byTarget = Map.groupBy(down, ({ service, url }) => `${service} ${url}`);
  return [...byTarget.values()]
    .flatMap((said): readonly DownTarget[] => {
      const [first] = said.toSorted((one, other) => one.since - other.since);
      if (first === undefined) return [];
      const { service, url, since, reason } = first;
      return [{ service, url, since, reason, gateways: said.length }];
    })
    .sort((one, other) => one.since - other.since);
};
