import type { SeenQueue } from "@aigw/core/queue";
import { grouped, humanMs } from "../terminal/output/figures.ts";
import { counted } from "../terminal/output/words.ts";

/** `2 of 2 slots in use, 14 calls wait, the first for 3.2 s`. */
export const queueWords = ({ concurrency, slots, waiting, oldestMs }: SeenQueue): string => {
  const use = `${grouped(slots)} of ${counted(concurrency, "slot")} in use`;
  if (waiting === 0) return `${use}, no call waits`;
  return `${use}, ${counted(waiting, "call")} ${waiting === 1 ? "waits" : "wait"}, the first for ${humanMs(oldestMs ?? 0)}`;
};

/** What gives more calls room in a service's queue. */
export const moreRoom = (service: string, most: number): string =>
  `aigw service set ${service} --queue ${Math.min(100_000, Math.max(100, most * 2))}`;
