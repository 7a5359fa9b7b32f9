import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";

/** Both ends as the system writes them, and what was sent and is not acknowledged, each in hexadecimal. */
const LINE = /^ *\d+: ([0-9A-F:]+ [0-9A-F:]+) [0-9A-F]{2} ([0-9A-F]{8}):/gm;

/** A system that takes bytes for its reader says so in steps: a 16th of the room it has, 6 MiB as Linux comes, at 80 kB/s. */
export const STEP_MS = 6_000;

interface Seen {
  readonly at: number;
  readonly bytes: number;
}

/**
 * What the system holds for peers that have not taken it yet. A write ends when all of its bytes have found room there,
 * and room comes in steps of a megabyte: somebody who reads 80 kB/s in a steady flow looks, from the writes alone, as if
 * he stood still for a quarter of a minute (decision 017). Only Linux says (`/proc/net/tcp`), and it is asked only about
 * connections that seem to stand still: it lists all of them, in a few milliseconds for ten thousand, off the main thread.
 */
export class SendQueues {
  /** By {@link keyOf}; those that are empty are left out. */
  #bytes: ReadonlyMap<string, number> | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  #reading = false;
  readonly #seen = new WeakMap<Socket, Seen>();

  /**
   * Whether the peer is seen to have taken something. To be asked again and again: it compares with the last answer.
   * @param since when it seemed to come to a stand, by the same clock as `now`
   * @returns false also where nobody knows
   */
  moved(socket: Socket, since: number, now: number): boolean {
    if (!this.#reading && now - this.#readAt > (now - since) / 8) void this.#read(now);
    if (this.#bytes === undefined || this.#readAt < since) return false;
    const before = this.#seen.get(socket);
    if (before?.at === this.#readAt) return false;
    const bytes = this.#bytes.get(keyOf(socket)) ?? 0;
    this.#seen.set(socket, { at: this.#readAt, bytes });
    return before !== undefined && before.at >= since && before.bytes !== bytes;
  }

  async #read(now: number): Promise<void> {
    this.#reading = true;
    try {
      const text =
        (await readFile("/proc/net/tcp", "latin1")) + (await readFile("/proc/net/tcp6", "latin1").catch(() => ""));
      const queues = new Map<string, number>();
      for (const [, ends = "", bytes = ""] of text.matchAll(LINE)) {
        if (bytes !== "00000000") queues.set(ends, Number.parseInt(bytes, 16));
      }
      this.#bytes = queues;
    } catch {
      // Not Linux, or hidden, or no descriptor left for the moment.
      this.#bytes = undefined;
    }
    this.#readAt = now;
    this.#reading = false;
  }
}

const keyOf = ({ localAddress, localPort, remoteAddress, remotePort }: Socket): string =>
  `${addressOf(localAddress)}:${hex(localPort)} ${addressOf(remoteAddress)}:${hex(remotePort)}`;

const hex = (word = 0): string => word.toString(16).toUpperCase().padStart(4, "0");

/** Words of 32 bits in the processor's byte order, which is little-endian wherever Node's Linux builds run but for IBM Z. */
const addressOf = (address = ""): string => {
  const groups = address.replace(/%.*/, "").replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_all, ...bytes: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = bytes.map(Number);
    return `${hex(a * 256 + b)}:${hex(c * 256 + d)}`;
  });
  const [head = [], tail = []] = groups.split("::").map((part) => (part === "" ? [] : part.split(":")));
  const zeros = groups.includes("::") ? 8 - head.length - tail.length : 0;
  const bytes = [...head, ...Array<string>(zeros).fill("0"), ...tail].map((group) =>
    group.toUpperCase().padStart(4, "0"),
  );
  return bytes.join("").replace(/(..)(..)(..)(..)/g, "$4$3$2$1");
};
