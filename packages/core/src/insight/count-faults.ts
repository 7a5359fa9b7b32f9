import type { UsageEvent } from "../usage/usage-event.ts";

/** How often a service failed for one reason. */
export interface ServiceFault {
  readonly service: string;
  /** See `FAULTS`; one of a later version may be among them. */
  readonly reason: string;
  readonly calls: number;
}

/** Most often first. */
export const countFaults = (events: Iterable<UsageEvent>): readonly ServiceFault[] => {
  const faults = new Map<string, { service: string; reason: string; calls: number }>();
  for (const { service, outcome, reason, count = 1 } of events) {
    // What the gateway refused for want of room, or for a quota, is not the service's.
    if (reason === undefined || outcome === "denied" || outcome === "limited") continue;
    const key = `${service} ${reason}`;
    const known = faults.get(key);
    if (known === undefined) faults.set(key, { service, reason, calls: count });
    else known.calls += count;
  }
  return [...faults.values()].sort((one, other) => other.calls - one.calls);
};
