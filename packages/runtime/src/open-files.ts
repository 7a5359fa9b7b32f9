import { readdirSync, readFileSync } from "node:fs";
import type { Instance } from "@aigw/core";
import { FAULTS } from "@aigw/core/services";
import type { Logger } from "./log.ts";

/**
 * What becomes of a client's connection:
 * - `refused`: its first request is answered with 503, and it is closed
 * - `dropped`: there is no room to answer either
 */
export type Admission = "served" | "refused" | "dropped";

const LOG_EVERY_MS = 10_000;

/** Kept free for refusals, for the threads that sum up usage, for modules and certificates that are read later. */
const reserveOf = (limit: number): number => Math.min(128, Math.max(16, Math.floor(limit / 8)));

/**
 * The file descriptors of this process. When they run out, the system's answers are wrong or none: names are not found,
 * connections are reset, and a listener that cannot accept may keep the processor busy. So new work is refused before:
 * a client's connection is taken while there is room for one to its service as well, and what is open goes on.
 */
export class OpenFiles {
  /** Infinity when nobody knows it: then nothing is refused before the system does. */
  readonly limit: number;
  readonly #reserve: number;
  readonly #log: Logger | undefined;
  /** How many connections there may be, of clients and to upstreams together. */
  #room = Number.POSITIVE_INFINITY;
  #closeIdle: () => boolean = () => false;
  #others = 0;
  #clients = 0;
  #leaving = 0;
  #upstreams = 0;
  #refused = 0;
  #loggedAt = Number.NEGATIVE_INFINITY;

  constructor(limit: number, log?: Logger) {
    this.limit = limit;
    this.#reserve = reserveOf(limit);
    this.#log = log;
  }

  /** Connections and calls refused for want of descriptors since the start. */
  get refused(): number {
    return this.#refused;
  }

  /** Open now; as exact as the last {@link measure}. */
  get used(): number {
    return this.#others + this.#clients + this.#leaving + this.#upstreams;
  }

  /** For whoever asks how the gateway fares; nothing where the limit is not known. */
  report(): Pick<Instance, "openFiles"> {
    const { used, limit, refused } = this;
    return limit === Number.POSITIVE_INFINITY ? {} : { openFiles: { used, limit, refused } };
  }

  /** Looks at what else is open: to be called when all that stays so is. */
  measure(): void {
    if (this.limit === Number.POSITIVE_INFINITY) return;
    this.#others = Math.max(0, countOpen() - this.#clients - this.#leaving - this.#upstreams);
    this.#room = Math.max(2, this.limit - this.#others - this.#reserve);
  }

  /** Whether three of four connections that clients may have are open: one turn may bring many more. */
  get isCrowded(): boolean {
    return this.#clients >= 0.75 * Math.floor(this.#room / 2);
  }

  clientOpened(): Admission {
    if (this.#clients < Math.floor(this.#room / 2)) {
      this.#clients += 1;
      if (this.#clients + this.#upstreams > this.#room) this.#closeIdle();
      return "served";
    }
    this.#leaving += 1;
    return this.#leaving <= this.#reserve / 2 ? "refused" : "dropped";
  }

  clientClosed(admission: Admission): void {
    if (admission === "served") this.#clients -= 1;
    else this.#leaving -= 1;
  }

  /** Whether there is room for one more connection to an upstream, or one that rests gave up its own. */
  mayOpen(): boolean {
    return this.#clients + this.#upstreams < this.#room || this.#closeIdle();
  }

  /** @param close closes a connection to an upstream that rests, and says whether there was one */
  onFull(close: () => boolean): void {
    this.#closeIdle = close;
  }

  upstreamOpened(): void {
    this.#upstreams += 1;
  }

  upstreamClosed(): void {
    this.#upstreams -= 1;
  }

  /** Logged once in ten seconds: who is refused tries again. */
  countRefused(): void {
    this.#refused += 1;
    const now = performance.now();
    if (this.#log === undefined || now - this.#loggedAt < LOG_EVERY_MS) return;
    this.#loggedAt = now;
    this.#log.error(
      { reason: "out_of_files", refused: this.#refused, ...this.report(), remedy: FAULTS.out_of_files.remedy },
      "out of file descriptors: new connections and calls are refused, those that are open go on",
    );
  }
}

/** Of this process; Node has raised the soft limit to the hard one at its start. Infinity where it cannot be read. */
export const openFilesLimit = (): number => {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
};

/** Without the one that reads them. */
const countOpen = (): number => readdirSync("/proc/self/fd").length - 1;
