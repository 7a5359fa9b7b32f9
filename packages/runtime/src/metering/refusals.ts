import type { UsageEvent } from "@aigw/core";
import { HOUR_MS } from "@aigw/core/usage";

/** Refused calls of a client that are an event each, in a minute of its own that begins with the first of them. */
const SINGLE = 60;
const MINUTE_MS = 60_000;
/** How long those beyond are gathered into one event for each outcome, status, reason and service. */
const GATHERED_MS = 1_000;

interface Minute {
  /** Monotonic milliseconds. */
  began: number;
  calls: number;
}

interface Gathered {
  readonly first: UsageEvent;
  count: number;
  bytesIn: number;
  bytesOut: number;
  latencyMs: number;
}

/**
 * Bounds what a client without a right can add to the disk: its refused calls are recorded one by one up to 60 in a
 * minute, and beyond by the second, with every sum exact. Holds a record for each client that was refused lately.
 */
export class Refusals {
  readonly #record: (event: UsageEvent) => void;
  readonly #minutes = new Map<string, Minute>();
  readonly #gathered = new Map<string, Gathered>();
  #timer: NodeJS.Timeout | undefined;

  constructor(record: (event: UsageEvent) => void) {
    this.#record = record;
  }

  /** @param now monotonic milliseconds */
  take(event: UsageEvent, now: number): void {
    if (this.#countOf(event.client, now) <= SINGLE) {
      this.#record(event);
      return;
    }
    const key = `${event.client} ${event.outcome} ${event.status} ${event.service} ${event.reason}`;
    const group = this.#gathered.get(key);
    if (group === undefined || !sameHour(group.first, event)) {
      // Sums are kept by the hour: what an event stands for must lie in one.
      if (group !== undefined) this.#record(asOne(group));
      const { bytesIn, bytesOut, latencyMs } = event;
      this.#gathered.set(key, { first: event, count: 1, bytesIn, bytesOut, latencyMs });
    } else {
      group.count += 1;
      group.bytesIn += event.bytesIn;
      group.bytesOut += event.bytesOut;
      group.latencyMs += event.latencyMs;
    }
    this.#timer ??= setTimeout(() => this.flush(), GATHERED_MS);
  }

  /** Hands over what is gathered. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const group of this.#gathered.values()) this.#record(asOne(group));
    this.#gathered.clear();
  }

  /** Forgets clients whose minute is over. @param now monotonic milliseconds */
  prune(now: number): void {
    for (const [client, { began }] of this.#minutes) if (now - began >= MINUTE_MS) this.#minutes.delete(client);
  }

  #countOf(client: string, now: number): number {
    const minute = this.#minutes.get(client);
    if (minute === undefined) {
      this.#minutes.set(client, { began: now, calls: 1 });
      return 1;
    }
    if (now - minute.began >= MINUTE_MS) {
      minute.began = now;
      minute.calls = 0;
    }
    minute.calls += 1;
    return minute.calls;
  }
}

const hourOf = ({ at }: UsageEvent): number => Math.floor(at / HOUR_MS);

const sameHour = (one: UsageEvent, other: UsageEvent): boolean => hourOf(one) === hourOf(other);

const asOne = ({ first, count, bytesIn, bytesOut, latencyMs }: Gathered): UsageEvent =>
  count === 1 ? first : { ...first, count, bytesIn, bytesOut, latencyMs: Math.round((latencyMs / count) * 100) / 100 };
