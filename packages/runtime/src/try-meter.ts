import type { MeterSpec } from "@aigw/core/meters";
import type { Reading } from "./meters/reading.ts";
import { serviceMeter } from "./meters/service-meter.ts";

/** A message of HTTP/1.1 that was kept. */
export interface StoredMessage {
  /** Name, value, name, value … */
  readonly fields: readonly string[];
  readonly content: Buffer;
}

/**
 * Reads a stored answer as the gateway reads one that passes by, and the request before it where there is one. Calls
 * nothing.
 * @param meters not empty
 */
export const tryMeter = (
  meters: MeterSpec,
  status: number,
  answer: StoredMessage,
  request?: StoredMessage,
): Promise<Reading> => {
  const reader = serviceMeter(meters)?.start();
  if (reader === undefined) throw new TypeError("without a meter there is nothing to try");
  if (request !== undefined) {
    reader.onRequestHead(request.fields);
    reader.onRequestContent(request.content);
    reader.onRequestEnd();
  }
  reader.onHead(status, answer.fields);
  reader.onContent(answer.content);
  return new Promise((resolve) => reader.onEnd([], true, { onReading: resolve }));
};

export type { Reading } from "./meters/reading.ts";
