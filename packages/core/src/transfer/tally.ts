import { createHash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { PART_NAMES, type PartName, type StoreExport, type StoreParts } from "./parts.ts";

/** How much there is of a part, and what tells it from any other. */
export interface PartTally {
  readonly part: PartName;
  readonly records: number;
  /** Of all records in their order, hexadecimal; the same from every engine. */
  readonly sha256: string;
}

/** Counts and digests what is read through it. */
export class TalliedExport implements StoreExport {
  readonly facts: StoreExport["facts"];
  readonly #source: StoreExport;
  readonly #tallies = new Map<PartName, PartTally>();
  readonly #onRecords: (part: PartName, records: number) => void;

  /** @param onRecords called now and then: how many records of the part were read so far */
  constructor(source: StoreExport, onRecords: (part: PartName, records: number) => void = () => undefined) {
    this.#source = source;
    this.facts = source.facts;
    this.#onRecords = onRecords;
  }

  async *read<P extends PartName>(part: P): AsyncGenerator<readonly StoreParts[P][]> {
    const hash = createHash("sha256");
    let records = 0;
    for await (const batch of this.#source.read(part)) {
      for (const record of batch) hash.update(`${canonical(record)}\n`);
      records += batch.length;
      this.#onRecords(part, records);
      yield batch;
      // An engine that answers at once would keep everything else waiting, Ctrl-C too.
      await turn();
    }
    this.#tallies.set(part, { part, records, sha256: hash.digest("hex") });
  }

  close(): Promise<void> {
    return this.#source.close();
  }

  /** Of the parts that were read to their end. */
  get tallies(): readonly PartTally[] {
    return PART_NAMES.flatMap((part) => this.#tallies.get(part) ?? []);
  }
}

/** Reads everything. */
export const tallyOf = async (source: StoreExport, signal?: AbortSignal): Promise<readonly PartTally[]> => {
  const tallied = new TalliedExport(source, () => signal?.throwIfAborted());
  for (const part of PART_NAMES) for await (const _ of tallied.read(part));
  return tallied.tallies;
};

/** JSON with the keys in one order: engines give them in orders of their own. */
const canonical = (value: unknown): string => JSON.stringify(value, sorted);

const sorted = (_key: string, value: unknown): unknown => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
};
