import type { TrafficStore } from "../store/store.ts";
import type { UsageEvent } from "../usage/usage-event.ts";
import type { UsageTally } from "../usage/usage-report.ts";
import { countFaults, type ServiceFault } from "./count-faults.ts";

/** Calls of one service that were answered with one status. */
export interface ServiceStatus {
  readonly service: string;
  readonly status: number;
  readonly tally: UsageTally;
}

export interface CallFilter {
  readonly client?: string;
  readonly since: number;
}

type Reads = Pick<TrafficStore, "usageReport" | "usageBetween">;

export const callsSince = async (traffic: Reads, filter: CallFilter): Promise<readonly ServiceStatus[]> => {
  const { rows } = await traffic.usageReport({ by: ["service", "status"], filter });
  return rows.map(({ key: [service, status], tally }) => ({
    service: String(service),
    status: Number(status),
    tally,
  }));
};

const PAGE = 1_000;
/** Of one service and status: enough to tell the most frequent reason, whatever is asked. */
const MOST_PAGES = 10;

/** The calls behind a row, oldest first. */
export async function* eventsOf(
  traffic: Pick<TrafficStore, "usageBetween">,
  { service, status }: Pick<ServiceStatus, "service" | "status">,
  filter: CallFilter,
): AsyncGenerator<UsageEvent> {
  const span = { filter: { ...filter, service, status: { from: status, to: status } }, until: Number.MAX_SAFE_INTEGER };
  let cursor: string | undefined;
  for (let pages = 0; pages < MOST_PAGES; pages += 1) {
    const page = await traffic.usageBetween(span, cursor, PAGE);
    yield* page.events;
    if (page.events.length < PAGE) return;
    cursor = page.cursor;
  }
}

/** Why calls failed, most often first. The sums do not know: the failed calls themselves are asked. */
export const faultsOf = async (
  traffic: Reads,
  calls: readonly ServiceStatus[],
  filter: CallFilter,
): Promise<readonly ServiceFault[]> => {
  const failed: UsageEvent[] = [];
  for (const row of calls) {
    if (row.tally.errors === 0) continue;
    for await (const event of eventsOf(traffic, row, filter)) failed.push(event);
  }
  return countFaults(failed);
};
