import { Walker } from "./walker.ts";

const HEADER = 8;
const CONTAINERS = new Set(["moov", "trak", "mdia", "mvex"]);
/** Version, flags, times, time scale and duration of the longer form. */
const TIMES = HEADER + 32;

/** MP4 and M4A (ISO 14496-12): the duration of the whole, of its fragments, or of its longest track. */
export class Mp4 extends Walker {
  #scale = 0;
  #whole = 0;
  #fragments = 0;
  #track = 0;

  get seconds(): number | undefined {
    const ofWhole = this.#scale === 0 ? 0 : Math.max(this.#whole, this.#fragments) / this.#scale;
    const seconds = ofWhole > 0 ? ofWhole : this.#track;
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
    if (type === "mvhd" || type === "mdhd" || type === "mehd") {
      if (data.length - at < Math.min(size, TIMES)) return at;
      this.#readTimes(type, data.subarray(at + HEADER, at + Math.min(size, TIMES)));
    }
    return at + size;
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
      else if (scale > 0) this.#track = Math.max(this.#track, duration / scale);
    }
  }
}
