// A thread that says when: timers of the event loop are up to a millisecond late, and this is no later than the kernel.
import { parentPort, workerData } from "node:worker_threads";
import { now } from "../support/clock.ts";

export interface Schedule {
  /** As {@link now} tells it, milliseconds. */
  readonly start: number;
  readonly everyMs: number;
  readonly count: number;
}

const { start, everyMs, count } = workerData as Schedule;
const cell = new Int32Array(new SharedArrayBuffer(4));
for (let index = 0; index < count; index += 1) {
  const wait = start + index * everyMs - now();
  if (wait > 0) Atomics.wait(cell, 0, 0, wait);
  parentPort?.postMessage(index);
}
