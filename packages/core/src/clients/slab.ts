/** A chunk's size, and by how many bits its number is shifted in an address. */
const CHUNK_BITS = 16;
const CHUNK_BYTES = 2 ** CHUNK_BITS;
/** The first chunk's; each further one is as large as all before it together, up to {@link CHUNK_BYTES}. */
const FIRST_BYTES = 1_024;
/** Addresses have 32 bits: a chunk more, and one record would be read for another. */
const MAX_CHUNKS = 2 ** (32 - CHUNK_BITS) - 1;

/**
 * Records of any size, one behind the other in a few large buffers: an object of its own for each would cost more than
 * most of them hold. Nothing is ever freed; who has dropped much copies the rest into another slab.
 */
export class Slab {
  readonly #chunks: Buffer[] = [];
  #last: Buffer = Buffer.alloc(0);
  /** In the last chunk. */
  #used = 0;
  #allocated = 0;
  #bytes = 0;

  /** Of all that was added. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Copies `length` bytes of `source`, from `start` on.
   * @returns the address: below 2³² - 1
   * @throws RangeError at 4 GiB
   */
  add(source: Buffer, length: number, start = 0): number {
    if (this.#last.length - this.#used < length) this.#begin(length);
    source.copy(this.#last, this.#used, start, start + length);
    const address = (this.#chunks.length - 1) * CHUNK_BYTES + this.#used;
    this.#used += length;
    this.#bytes += length;
    return address;
  }

  /** The buffer that holds the record of an address, at {@link placeOf}. */
  chunkOf(address: number): Buffer {
    return this.#chunks[address >>> CHUNK_BITS] as Buffer;
  }

  #begin(length: number): void {
    if (this.#chunks.length === MAX_CHUNKS) throw new RangeError("the slab holds no more than 4 GiB");
    // A record that is larger than a chunk has one to itself.
    const size = Math.max(length, Math.min(CHUNK_BYTES, Math.max(FIRST_BYTES, this.#allocated)));
    // Not from the pool that is shared with the buffers of requests.
    this.#last = Buffer.allocUnsafeSlow(size);
    this.#chunks.push(this.#last);
    this.#allocated += size;
    this.#used = 0;
  }
}

/** In its chunk. */
export const placeOf = (address: number): number => address & (CHUNK_BYTES - 1);
