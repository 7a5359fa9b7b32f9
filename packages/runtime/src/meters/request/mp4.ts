import { Walker } from "./walker.ts";

const HEADER = 8;
const CONTAINERS = new Set(["moov", "trak", "mdia", "mvex", "moof", "traf"]);
/** What is read whole: times, and the samples of a fragment. */
const READ = new Set(["mvhd", "mdhd", "mehd", "trex", "tfhd", "trun"]);
/** Version, flags, times, time scale and duration of the longer form. */
const TIMES = HEADER + 32;

/** MP4 and M4A (ISO 14496-12): the duration of the whole, of its fragments, or of its longest track. */
export class Mp4 extends Walker {
  #scale = 0;
  #whole = 0;
  #fragments = 0;
  #track = 0;
  #trackScale = 0;
  #tracks = 0;
  /** Of a sample of a fragment that does not say, by the file and by the fragment; and what all of them add up to. */
  #sampleOfFile = 0;
  #sampleOfFragment = 0;
  #samples = 0;

  get seconds(): number | undefined {
    const ofWhole = this.#scale === 0 ? 0 : Math.max(this.#whole, this.#fragments) / this.#scale;
    const ofTrack = this.#samples > 0 && this.#tracks === 1 ? this.#samples / this.#trackScale : this.#track;
    const seconds = ofWhole > 0 ? ofWhole : ofTrack;
    return seconds > 0 ? seconds : undefined;
  }

  protected step(data: Buffer, at: number): number {
    if (data.length - at < HEADER) return at;
    const type = data.toString("latin1", at + 4, at + 8);
    let size = data.readUInt32BE(at);
    if (size === 1) {
      if (data.length - at < 16) return at;
      size = Number(data.readBigUInt64BE(at + 8));
    }
    // 0: to the end of the file.
    if (size < HEADER || !Number.isSafeInteger(size)) {
      this.isDone = true;
      return at + 1;
    }
    if (CONTAINERS.has(type)) return at + HEADER;
    if (READ.has(type)) {
      const needed = type === "trun" ? size : Math.min(size, TIMES);
      if (data.length - at < needed) return at;
      this.#readBox(type, data.subarray(at + HEADER, at + needed));
    }
    return at + size;
  }

  /** @param box without its header */
  #readBox(type: string, box: Buffer): void {
    if (type === "mvhd" || type === "mdhd" || type === "mehd") this.#readTimes(type, box);
    else if (type === "trun") this.#samples += durationOf(box, this.#sampleOfFragment || this.#sampleOfFile);
    else if (type === "trex") this.#sampleOfFile = box.length < 16 ? 0 : box.readUInt32BE(12);
    else {
      const flags = box.length < 8 ? 0 : box.readUInt32BE(0);
      const durationAt = 8 + ((flags & 1) === 0 ? 0 : 8) + ((flags & 2) === 0 ? 0 : 4);
      this.#sampleOfFragment = (flags & 8) !== 0 && box.length >= durationAt + 4 ? box.readUInt32BE(durationAt) : 0;
    }
  }

  #readTimes(type: "mvhd" | "mdhd" | "mehd", box: Buffer): void {
    const isLong = box.length > 0 && box.readUInt8(0) === 1;
    const durationAt = type === "mehd" ? 4 : isLong ? 24 : 16;
    if (box.length < durationAt + (isLong ? 8 : 4)) return;
    const duration = isLong ? Number(box.readBigUInt64BE(durationAt)) : box.readUInt32BE(durationAt);
    // All ones: not known.
    if (duration >= (isLong ? 2 ** 63 : 0xffff_ffff)) return;
    if (type === "mehd") this.#fragments = duration;
    else {
      const scale = box.readUInt32BE(durationAt - 4);
      if (type === "mvhd") [this.#scale, this.#whole] = [scale, duration];
      else if (scale > 0) {
        this.#tracks += 1;
        this.#trackScale = scale;
        this.#track = Math.max(this.#track, duration / scale);
      }
    }
  }
}

/** Of a run of samples (§8.8.8), in the track's time scale. */
const durationOf = (box: Buffer, each: number): number => {
  if (box.length < 8) return 0;
  const flags = box.readUInt32BE(0);
  const count = box.readUInt32BE(4);
  if ((flags & 0x100) === 0) return count * each;
  const first = 8 + ((flags & 1) === 0 ? 0 : 4) + ((flags & 4) === 0 ? 0 : 4);
  const size = 4 * [0x100, 0x200, 0x400, 0x800].filter((flag) => (flags & flag) !== 0).length;
  let duration = 0;
  for (let i = 0, at = first; i < count && at + 4 <= box.length; i += 1, at += size) duration += box.readUInt32BE(at);
  return duration;
};
