const EXTENSION = 0x21;
const FRAME = 0x2c;

/** Frames in a GIF (GIF89a, sections 17 to 27). Throws a RangeError where the file is cut. */
export function frameCount(image: Buffer): number {
  let at = 13 + tableBytes(image.readUInt8(10));
  let frames = 0;
  for (;;) {
    const block = image.readUInt8(at);
    if (block === EXTENSION) {
      at = afterSubBlocks(image, at + 2);
    } else if (block === FRAME) {
      frames += 1;
      // Nine bytes of place and flags after the introducer, a colour table of its own, one byte of code size.
      at = afterSubBlocks(image, at + 10 + tableBytes(image.readUInt8(at + 9)) + 1);
    } else {
      // The trailer, or rubbish that the decoder will judge.
      return frames;
    }
  }
}

function tableBytes(flags: number): number {
  return (flags & 0x80) === 0 ? 0 : 3 * 2 ** ((flags & 0x07) + 1);
}

function afterSubBlocks(image: Buffer, start: number): number {
  let at = start;
  for (;;) {
    const length = image.readUInt8(at);
    at += 1 + length;
    if (length === 0) return at;
  }
}
