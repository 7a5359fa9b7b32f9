import type { Service } from "../services/service.ts";
import type { Store } from "../store/store.ts";
import { oldestIn, type QueueRecord, slotsIn, waitingIn, withoutLapsed } from "./queue-record.ts";

/** How the queue of one service stands, over all gateways. */
export interface SeenQueue {
  readonly service: string;
  readonly concurrency: number;
  /** How many may wait. */
  readonly most: number;
  readonly waitMs: number;
  /** Slots that calls have, or a gateway keeps for a moment for the next. */
  readonly slots: number;
  readonly waiting: number;
  /** How long the call has waited that waits longest; undefined when none waits. */
  readonly oldestMs: number | undefined;
  /** How long a call has its slot, a mean of the last ones; undefined when nobody knows. */
  readonly holdMs: number | undefined;
}

/** Of the services that have one, in their order; costs a store call each. */
export const readQueues = async (
  { traffic }: Pick<Store, "traffic">,
  services: readonly Service[],
): Promise<readonly SeenQueue[]> => {
  const seen: SeenQueue[] = [];
  for (const { id, name, queue } of services) {
    if (queue === undefined) continue;
    const found = await traffic.queueRecord(id);
    const now = traffic.steadyNow();
    const record: QueueRecord | undefined = found && withoutLapsed(found.record, now);
    const oldest = record && oldestIn(record);
    seen.push({
      service: name,
      concurrency: queue.concurrency,
      most: queue.most,
      waitMs: queue.waitMs,
      slots: record === undefined ? 0 : slotsIn(record),
      waiting: record === undefined ? 0 : waitingIn(record),
      oldestMs: oldest === undefined ? undefined : Math.max(0, Math.round(now - oldest)),
      holdMs: record?.holdMs || undefined,
    });
  }
  return seen;
};
