import { Walker } from "./walker.ts";

const HEADER = 4;
/** Of the first frame: what is looked at in it, behind the longest side information. */
const FIRST_FRAME = 4 + 32 + 144;
/** From `Xing` to what the encoder says of itself, and in that to what it added before and behind. */
const ENCODER_AT = 120;
const PADDING_AT = ENCODER_AT + 21;
/** Bytes in a row that are no frame: it is something else, or damaged beyond counting. */
const MAX_LOST = 256 * 1024;

const KBPS: Readonly<Record<string, readonly number[]>> = {
  "1.1": [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
  "1.2": [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
  "1.3": [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  "2.1": [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
  "2.2": [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
  "2.3": [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
};
const RATES = [44_100, 48_000, 32_000];

interface Frame {
  readonly bytes: number;
  readonly samples: number;
  readonly rate: number;
  /** From the frame's beginning to where `Xing` or `Info` would stand. */
  readonly xingAt: number;
}

/** @returns undefined when there is no frame of MPEG audio (ISO 11172-3, 13818-3) at `at` */
export const mpegFrame = (data: Buffer, at: number): Frame | undefined => {
  const header = data.readUInt32BE(at);
  if (header >>> 21 !== 0x7ff) return undefined;
  const version = (header >>> 19) & 3;
  const layer = 4 - ((header >>> 17) & 3);
  const rateAt = (header >>> 10) & 3;
  if (version === 1 || layer === 4 || rateAt === 3) return undefined;
  const isFirst = version === 3;
  const kbps = KBPS[`${isFirst ? 1 : 2}.${layer}`]?.[(header >>> 12) & 15] ?? 0;
  if (kbps === 0) return undefined;
  const rate = (RATES[rateAt] as number) / (isFirst ? 1 : version === 2 ? 2 : 4);
  const padding = (header >>> 9) & 1;
  const isMono = ((header >>> 6) & 3) === 3;
  const samples = layer === 1 ? 384 : layer === 3 && !isFirst ? 576 : 1_152;
  const unit = layer === 1 ? 4 : 1;
  const bytes = (Math.floor(((samples / 8 / unit) * kbps * 1_000) / rate) + padding) * unit;
  return { bytes, samples, rate, xingAt: HEADER + (isFirst ? (isMono ? 17 : 32) : isMono ? 9 : 17) };
};

/** MP3: the number of frames that its first one states (Xing, VBRI), or every frame counted, so that any bit rate will do. */
export class Mp3 extends Walker {
  #seconds = 0;
  #frames = 0;
  #lost = 0;
  #isFirst = true;

  get seconds(): number | undefined {
    return this.#frames === 0 ? undefined : this.#seconds;
  }

  protected step(data: Buffer, at: number): number {
    if (data.length - at < HEADER) return at;
    if (this.#isFirst && data.toString("latin1", at, at + 3) === "ID3") {
      if (data.length - at < 10) return at;
      const size = [6, 7, 8, 9].reduce((sum, i) => sum * 128 + (data.readUInt8(at + i) & 0x7f), 0);
      return at + 10 + size + ((data.readUInt8(at + 5) & 0x10) === 0 ? 0 : 10);
    }
    const frame = mpegFrame(data, at);
    if (frame === undefined) {
      this.#lost += 1;
      if (this.#lost > MAX_LOST) this.isDone = true;
      return at + 1;
    }
    this.#lost = 0;
    if (this.#isFirst) {
      if (data.length - at < Math.min(frame.bytes, FIRST_FRAME)) return at;
      this.#isFirst = false;
      const first = data.subarray(at, at + Math.min(frame.bytes, FIRST_FRAME));
      const stated = statedFrames(first, frame.xingAt);
      if (stated > 0) {
        this.#frames = stated;
        this.#seconds = Math.max(0, stated * frame.samples - added(first, frame.xingAt)) / frame.rate;
        this.isDone = true;
      }
      if (stated >= 0) return at + frame.bytes;
    }
    this.#frames += 1;
    this.#seconds += frame.samples / frame.rate;
    return at + frame.bytes;
  }
}

const textAt = (bytes: Buffer, at: number): string => bytes.toString("latin1", at, at + 4);

/** @returns −1 when the first frame is one of audio; 0 when it is not, and does not say */
const statedFrames = (frame: Buffer, xingAt: number): number => {
  if (/^(?:Xing|Info)$/.test(textAt(frame, xingAt)) && frame.length >= xingAt + 12)
    return (frame.readUInt32BE(xingAt + 4) & 1) === 0 ? 0 : frame.readUInt32BE(xingAt + 8);
  const vbriAt = HEADER + 32;
  return textAt(frame, vbriAt) === "VBRI" && frame.length >= vbriAt + 18 ? frame.readUInt32BE(vbriAt + 14) : -1;
};

/** Samples that the encoder put before and behind the audio, as it says (LAME and libavcodec do). */
const added = (frame: Buffer, xingAt: number): number => {
  if (!/^(?:LAME|Lav[cf])$/.test(textAt(frame, xingAt + ENCODER_AT)) || frame.length < xingAt + PADDING_AT + 3)
    return 0;
  const both = frame.readUIntBE(xingAt + PADDING_AT, 3);
  return (both >> 12) + (both & 0xfff);
};
