import type { Address } from "./opening.ts";

/** The addresses of a host name, in the order of the system. Rejects with Node's error of a look-up. */
export type Lookup = (name: string) => Promise<readonly Address[]>;

/** A name is looked up again so often while there are connections to it. */
const REFRESH_MS = 10_000;
/**
 * An address that the name did not have in two answers in a row, for so long, is gone. One is not enough: some name
 * servers tell a few of many addresses, each time others.
 */
const GONE_MS = 15_000;
/** One that could not be connected to is tried last for so long. */
const SHUN_MS = 30_000;

/** The addresses of one host name: which there are, and whose turn it is. */
export class AddressBook {
  readonly #name: string;
  readonly #lookup: Lookup;
  readonly #clock: () => number;
  /** When each was last told of. */
  readonly #told = new Map<string, number>();
  readonly #shunnedUntil = new Map<string, number>();
  #turn = 0;
  #askedAt = Number.NEGATIVE_INFINITY;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #asking = false;

  /** @param clock monotonic, milliseconds */
  constructor(name: string, lookup: Lookup, clock: () => number) {
    this.#name = name;
    this.#lookup = lookup;
    this.#clock = clock;
  }

  /** All of them in the order in which a connection tries them; each time another one comes first. */
  async inTurn(): Promise<readonly Address[]> {
    const found = await this.#look();
    const start = this.#turn % Math.max(1, found.length);
    this.#turn += 1;
    const now = this.#clock();
    const isShunned = ({ address }: Address): boolean => (this.#shunnedUntil.get(address) ?? 0) > now;
    const turned = [...found.slice(start), ...found.slice(0, start)];
    const good = turned.filter((address) => !isShunned(address));
    return [...alternating(good), ...turned.filter(isShunned)];
  }

  /** It did not take a connection, or not before another one did. */
  shun(address: string): void {
    this.#shunnedUntil.set(address, this.#clock() + SHUN_MS);
  }

  /** The name does not have it any more. */
  isGone(address: string): boolean {
    return this.#told.size > 0 && !this.#told.has(address);
  }

  /** To be called often while there are connections. */
  refresh(now: number): void {
    if (this.#asking || now - this.#askedAt < REFRESH_MS) return;
    this.#asking = true;
    // A name server that is away makes no address go.
    this.#look()
      .catch(() => undefined)
      .finally(() => {
        this.#asking = false;
      });
  }

  async #look(): Promise<readonly Address[]> {
    this.#askedAt = this.#clock();
    const found = await this.#lookup(this.#name);
    const now = this.#clock();
    const before = this.#answeredAt;
    this.#answeredAt = now;
    for (const { address } of found) this.#told.set(address, now);
    for (const [address, at] of this.#told) {
      if (now - at >= GONE_MS && at < before) {
        this.#told.delete(address);
        this.#shunnedUntil.delete(address);
      }
    }
    return found;
  }
}

/** Of both families in turn (RFC 8305 §4): one that does not work here must not hold up the other. */
const alternating = (addresses: readonly Address[]): readonly Address[] => {
  const first = addresses[0]?.family;
  const [ours, others] = [
    addresses.filter(({ family }) => family === first),
    addresses.filter(({ family }) => family !== first),
  ];
  return ours
    .flatMap((address, index) => [address, ...others.slice(index, index + 1)])
    .concat(others.slice(ours.length));
};
