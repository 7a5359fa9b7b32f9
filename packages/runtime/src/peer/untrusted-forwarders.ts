import type { Clock, UntrustedForwarder } from "@aigw/core";
import { sourceOfAddress } from "./address.ts";

/** Who was silent for so long is forgotten, and said again when it comes back. */
const REMEMBER_MS = 600_000;
/** Networks that are remembered, and lines of the log in that time: anybody can send such fields. */
const MOST = 16;
/** As many as an admin would look at. */
const MOST_SHOWN = 4;

interface Seen {
  readonly peer: string;
  at: number;
  saidAt: number;
}

/** Remembers, one peer a network, who sends forwarded fields without being trusted. */
export class UntrustedForwarders {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #say: (peer: string) => void;
  readonly #seen = new Map<string, Seen>();
  #lines = 0;
  #linesSince = Number.NEGATIVE_INFINITY;

  /** @param say told of a peer when it is new, and again every ten minutes; 16 times in ten minutes at most */
  constructor(clock: Pick<Clock, "monotonic">, say: (peer: string) => void) {
    this.#clock = clock;
    this.#say = say;
  }

  note(peer: string): void {
    const now = this.#clock.monotonic();
    const network = sourceOfAddress(peer);
    let seen = this.#seen.get(network);
    if (seen === undefined) {
      this.#makeRoom();
      seen = { peer, at: now, saidAt: Number.NEGATIVE_INFINITY };
      this.#seen.set(network, seen);
    }
    seen.at = now;
    if (now - seen.saidAt < REMEMBER_MS || !this.#mayWrite(now)) return;
    seen.saidAt = now;
    this.#say(seen.peer);
  }

  forget(): void {
    this.#seen.clear();
  }

  /** Those of the last ten minutes, the latest first. */
  peers(): readonly UntrustedForwarder["peer"][] {
    if (this.#seen.size === 0) return [];
    const now = this.#clock.monotonic();
    for (const [network, { at }] of this.#seen) if (now - at >= REMEMBER_MS) this.#seen.delete(network);
    const latest = [...this.#seen.values()].sort((a, b) => b.at - a.at);
    return latest.slice(0, MOST_SHOWN).map(({ peer }) => peer);
  }

  /** The one that was silent longest goes: a proxy in front is heard of all the time. */
  #makeRoom(): void {
    if (this.#seen.size < MOST) return;
    let oldest: [string, Seen] | undefined;
    for (const entry of this.#seen) if (oldest === undefined || entry[1].at < oldest[1].at) oldest = entry;
    if (oldest !== undefined) this.#seen.delete(oldest[0]);
  }

  #mayWrite(now: number): boolean {
    if (now - this.#linesSince >= REMEMBER_MS) {
      this.#linesSince = now;
      this.#lines = 0;
    }
    this.#lines += 1;
    return this.#lines <= MOST;
  }
}
