import type { Logger } from "../log.ts";

const EVERY_MS = 10_000;

/**
 * Requests that belong to no client are anybody's to send, so they are counted and logged as one line per reason and
 * ten seconds: a flood of them fills neither the store nor the log.
 */
export class StrangerLog {
  readonly #log: Logger;
  #counts = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Logger) {
    this.#log = log;
  }

  start(): void {
    this.#timer = setInterval(() => this.#write(), EVERY_MS);
    this.#timer.unref();
  }

  count(reason: string): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#write();
  }

  #write(): void {
    for (const [reason, count] of this.#counts)
      this.#log.warn({ reason, count }, "requests refused that belong to no client");
    this.#counts = new Map();
  }
}
