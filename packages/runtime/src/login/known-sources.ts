/** Who had a good login counts as known for so long, milliseconds: a client that works comes back within its token's hour. */
const KNOWN_MS = 24 * 3_600_000;
/** Of one client: whoever has one credential and many addresses pushes out its own. */
const PER_CLIENT = 32;
/** In all: about 2 MiB. The one that was silent longest goes. */
const MOST = 8_192;

interface Known {
  readonly clientId: string;
  readonly at: number;
}

/**
 * The sources that had a good login lately. Only a right password puts one in, so no stranger can fill it or push anybody
 * out. It says nothing of names: whoever tries from a known source is known, with any name, or the time that an answer
 * takes would tell whose source it is.
 */
export class KnownSources {
  /** The one that logged in longest ago first. */
  readonly #known = new Map<string, Known>();
  readonly #perClient = new Map<string, number>();

  /** @param now monotonic milliseconds */
  note(source: string, clientId: string, now: number): void {
    this.#drop(source);
    if (this.#heldBy(clientId) >= PER_CLIENT) this.#drop(this.#oldestOf(clientId));
    else if (this.#known.size >= MOST) this.#drop(this.#known.keys().next().value);
    this.#known.set(source, { clientId, at: now });
    this.#perClient.set(clientId, this.#heldBy(clientId) + 1);
  }

  has(source: string, now: number): boolean {
    const known = this.#known.get(source);
    return known !== undefined && now - known.at < KNOWN_MS;
  }

  get size(): number {
    return this.#known.size;
  }

  #heldBy(clientId: string): number {
    return this.#perClient.get(clientId) ?? 0;
  }

  #oldestOf(clientId: string): string | undefined {
    for (const [source, known] of this.#known) if (known.clientId === clientId) return source;
    return undefined;
  }

  #drop(source: string | undefined): void {
    const known = source === undefined ? undefined : this.#known.get(source);
    if (source === undefined || known === undefined) return;
    this.#known.delete(source);
    const left = this.#heldBy(known.clientId) - 1;
    if (left === 0) this.#perClient.delete(known.clientId);
    else this.#perClient.set(known.clientId, left);
  }
}
