import { Walker } from "./walker.ts";

const HEADER = 12;
const CHUNK = 8;
/** Written by what does not know the length when it begins. */
const OPEN_ENDED = 0xffff_fff0;

/** RIFF WAVE, and RF64: the bytes of its `data` by the bytes a second of its `fmt`. */
export class Wav extends Walker {
  #isPastHeader = false;
  #byteRate = 0;
  #dataAt = -1;
  #dataSize = 0;

  get seconds(): number | undefined {
    if (this.#dataAt < 0 || this.#byteRate === 0) return undefined;
    const there = Math.max(0, this.total - this.#dataAt);
    const said = this.#dataSize === 0 || this.#dataSize >= OPEN_ENDED ? there : this.#dataSize;
    return Math.min(said, there) / this.#byteRate;
  }

  protected step(data: Buffer, at: number): number {
    if (!this.#isPastHeader) {
      if (data.length - at < HEADER) return at;
      this.#isPastHeader = true;
      return at + HEADER;
    }
    if (data.length - at < CHUNK) return at;
    const id = data.toString("latin1", at, at + 4);
    const size = data.readUInt32LE(at + 4);
    if (id === "data") {
      this.#dataAt = this.origin + at + CHUNK;
      this.#dataSize = size;
      this.isDone = true;
      return at + CHUNK;
    }
    if (id === "fmt ") {
      if (data.length - at < CHUNK + 12) return at;
      this.#byteRate = data.readUInt32LE(at + CHUNK + 8);
    }
    // Chunks are padded to an even length.
    return at + CHUNK + size + (size % 2);
  }
}
