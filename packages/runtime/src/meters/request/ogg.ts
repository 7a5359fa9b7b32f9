import { Walker } from "./walker.ts";

const HEADER = 27;
/** Of a stream's first packet: what is looked at in it. */
const FIRST_PACKET = 32;
/** Streams of one file. */
const MAX_STREAMS = 16;
const BEGINS = 2;

interface Stream {
  readonly rate: number;
  /** Samples that are decoded and thrown away. */
  readonly skip: number;
  /** The position at the end of its last page. */
  samples: number;
}

/** Ogg (RFC 3533) with Vorbis, Opus (RFC 7845) or FLAC: the position that the last page of each stream states. */
export class Ogg extends Walker {
  readonly #streams = new Map<number, Stream>();

  get seconds(): number | undefined {
    let seconds = 0;
    for (const { rate, skip, samples } of this.#streams.values()) seconds += Math.max(0, samples - skip) / rate;
    return this.#streams.size === 0 ? undefined : seconds;
  }

  protected step(data: Buffer, at: number): number {
    if (data.length - at < HEADER) return at;
    if (data.toString("latin1", at, at + 4) !== "OggS") {
      this.isDone = true;
      return at + 1;
    }
    const segments = data.readUInt8(at + 26);
    const content = at + HEADER + segments;
    if (data.length < content) return at;
    let size = 0;
    for (let i = at + HEADER; i < content; i += 1) size += data.readUInt8(i);
    const serial = data.readUInt32LE(at + 14);
    if ((data.readUInt8(at + 5) & BEGINS) !== 0 && this.#streams.size < MAX_STREAMS) {
      if (data.length < content + Math.min(size, FIRST_PACKET)) return at;
      const stream = streamOf(data.subarray(content, content + size));
      if (stream !== undefined) this.#streams.set(serial, stream);
    }
    const stream = this.#streams.get(serial);
    const position = data.readBigInt64LE(at + 6);
    // −1: no packet ends on this page.
    if (stream !== undefined && position > 0n && position < 1n << 52n) stream.samples = Number(position);
    return content + size;
  }
}

const streamOf = (packet: Buffer): Stream | undefined => {
  const begins = (mark: string): boolean => packet.toString("latin1", 0, mark.length) === mark;
  let [rate, skip] = [0, 0];
  if (begins("OpusHead") && packet.length >= 12) [rate, skip] = [48_000, packet.readUInt16LE(10)];
  else if (begins("\x01vorbis") && packet.length >= 16) rate = packet.readUInt32LE(12);
  else if (begins("\x7fFLAC") && packet.length >= 30) rate = packet.readUIntBE(27, 3) >> 4;
  return rate === 0 ? undefined : { rate, skip, samples: 0 };
};
