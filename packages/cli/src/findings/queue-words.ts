import type { SeenQueue } from "@aigw/core/queue";
import type { QueueSettings } from "@aigw/core/services";
import { grouped, humanMs } from "../terminal/output/figures.ts";
import { counted } from "../terminal/output/words.ts";

/** A slot that a gateway keeps for a moment counts as in use: `2 of 2 slots in use, 14 calls wait, the first for 3.2 s`. */
export const queueWords = ({ concurrency, slots, waiting, oldestMs }: SeenQueue): string => {
  const use = `${grouped(slots)} of ${counted(concurrency, "slot")} in use`;
  if (waiting === 0) return `${use}, no call waits`;
  return `${use}, ${counted(waiting, "call")} ${waiting === 1 ? "waits" : "wait"}, the first for ${humanMs(oldestMs ?? 0)}`;
};

/**
 * What helps calls that found no room. Where they waited for as long as they may, more room would only have more of them
 * wait as long; what helps best, more calls at once, the service itself has to bear.
 */
export const moreRoom = (
  service: string,
  { most, waitMs }: Pick<QueueSettings, "most" | "waitMs">,
  isLate: boolean,
): string =>
  isLate
    ? `aigw service set ${service} --queue-wait ${Math.ceil((waitMs * 2) / 1_000)}s`
    : `aigw service set ${service} --queue ${Math.min(100_000, Math.max(100, most * 2))}`;
