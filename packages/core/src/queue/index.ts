export { FairQueue, type FairQueueOptions, type QueueStanding } from "./fair-queue.ts";
export type { QueuedCall, QueueRefusal, QueueTerms, Ticket } from "./queue-line.ts";
export {
  EMPTY_QUEUE,
  LEASE_MS,
  oldestIn,
  type QueueRecord,
  type SlotHolder,
  slotsIn,
  waitingIn,
  withoutLapsed,
} from "./queue-record.ts";
export { readQueues, type SeenQueue } from "./read-queues.ts";
