import type { Clock } from "../clock.ts";
import type { Store } from "../store/store.ts";
import { DAY_MS, HOUR_MS } from "../usage/report-plan.ts";
import { countFaults } from "./count-faults.ts";
import type { DayOfUse, ReviewFacts } from "./review-clients.ts";

/** Single calls that are looked at, for why they failed. */
const LATEST = 5_000;

/**
 * All that a review looks at. Costs one look-up a client for its last use, and a report over the last day's hours; single
 * events are looked at when they are not folded yet, and the latest for why they failed.
 */
export const readReviewFacts = async ({ control, traffic }: Store, clock: Clock): Promise<ReviewFacts> => {
  const now = clock.now();
  const clients = await control.clients();
  const names = clients.map((client) => client.name);
  // From a whole hour on, so that no hour is looked at event by event.
  const since = Math.floor((now - DAY_MS) / HOUR_MS) * HOUR_MS;
  const { rows } = await traffic.usageReport({ by: ["client", "hour"], filter: { since } });
  const lastDay = new Map<string, DayOfUse>();
  for (const { key, tally } of rows) {
    const name = String(key[0]);
    const day = lastDay.get(name) ?? { limited: 0, requests: 0, errors: 0, busiestHour: 0 };
    lastDay.set(name, {
      limited: day.limited + tally.limited,
      requests: day.requests + tally.requests,
      errors: day.errors + tally.errors,
      busiestHour: Math.max(day.busiestHour, tally.timed),
    });
  }
  const { events } = await traffic.latestUsage({}, LATEST);
  const lastFaults = new Map(
    [...Map.groupBy(events, ({ client }) => client)].map(([name, calls]) => [name, countFaults(calls)]),
  );
  return { now, clients, lastUsedAt: await traffic.lastUsage(names), lastDay, lastFaults };
};
