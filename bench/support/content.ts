import { createHash } from "node:crypto";
import { Readable } from "node:stream";

const BLOCK = 256 * 1024;

/** So many bytes that no part of repeats: a block that was lost, doubled or put elsewhere changes the digest. */
export class Content extends Readable {
  #left: number;
  #index = 0;

  constructor(bytes: number) {
    super({ highWaterMark: BLOCK });
    this.#left = bytes;
  }

  override _read(): void {
    const size = Math.min(BLOCK, this.#left);
    if (size === 0) {
      this.push(null);
      return;
    }
    const block = Buffer.alloc(size, this.#index & 0xff);
    if (size >= 8) block.writeDoubleLE(this.#index);
    this.#index += 1;
    this.#left -= size;
    this.push(block);
  }
}

/** SHA-256 and length. */
export class Digest {
  readonly #hash = createHash("sha256");
  #bytes = 0;

  add(chunk: Buffer): void {
    this.#hash.update(chunk);
    this.#bytes += chunk.length;
  }

  end(): { readonly bytes: number; readonly sha256: string } {
    return { bytes: this.#bytes, sha256: this.#hash.digest("hex") };
  }
}
