import { Walker } from "./walker.ts";

/** The mark, a block's header, and STREAMINFO up to the number of samples. */
const NEEDED = 4 + 4 + 18;

/** Samples and their rate, as STREAMINFO says, which comes first (RFC 9639 §8.2). */
export class Flac extends Walker {
  seconds: number | undefined;

  protected step(data: Buffer, at: number): number {
    if (data.length - at < NEEDED) return at;
    this.isDone = true;
    const rate = data.readUIntBE(at + 18, 3) >> 4;
    const samples = (data.readUInt8(at + 21) & 0x0f) * 2 ** 32 + data.readUInt32BE(at + 22);
    // 0 samples: who wrote it did not know.
    if (rate > 0 && samples > 0) this.seconds = samples / rate;
    return at + NEEDED;
  }
}
