import { frameCount } from "./gif.ts";
import { Refusal } from "./refusal.ts";

/** Media types that tesseract.js 7 reads whole. TIFF is left out: a truncated one would be answered with half its text. */
export const IMAGE_TYPES: readonly string[] = ["image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp"];

/** Tesseract holds a side in 16 bits and answers a longer one with an empty text instead of an error. */
const MAX_SIDE = 32_767;
/** About 8 s of one core and 600 MB; a few hundred kilobytes of PNG can unpack to much more. */
const MAX_PIXELS = 64_000_000;
/** tesseract.js copies a BMP property by property: 4.5 MB of it cost 7 s and 1 GB, 20 MB fail. */
const MAX_BMP_BYTES = 4 * 1024 * 1024;

interface Size {
  readonly width: number;
  readonly height: number;
}

/** Refuses, by its first bytes, what tesseract would misread, choke on or spend minutes on. */
export function checkImage(image: Buffer): void {
  if (image.length === 0) throw new Refusal("bad_image", "the request has no image in it");
  const { width, height } = sizeOf(image);
  if (width < 1 || height < 1) throw new Refusal("bad_image", "the image has no pixels");
  if (width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS) {
    throw new Refusal("bad_image", `the image has more than ${MAX_PIXELS / 1e6} megapixels or a side over ${MAX_SIDE}`);
  }
}

function sizeOf(image: Buffer): Size {
  const measure = measureFor(image);
  if (!measure) throw new Refusal("bad_image", `not an image of a known type: ${IMAGE_TYPES.join(", ")}`);
  try {
    return measure(image);
  } catch (cause) {
    // Buffer's readers throw a RangeError past the end: the header itself is cut.
    if (cause instanceof RangeError) throw new Refusal("bad_image", "the image is truncated", { cause });
    throw cause;
  }
}

function measureFor(image: Buffer): ((image: Buffer) => Size) | undefined {
  const starts = (magic: string, at = 0): boolean => image.toString("latin1", at, at + magic.length) === magic;
  if (starts("\x89PNG\r\n\x1a\n")) return sizeOfPng;
  if (starts("\xff\xd8\xff")) return sizeOfJpeg;
  if (starts("GIF87a") || starts("GIF89a")) return sizeOfGif;
  if (starts("RIFF") && starts("WEBP", 8)) return sizeOfWebp;
  if (starts("BM")) return sizeOfBmp;
  return undefined;
}

function sizeOfPng(image: Buffer): Size {
  return { width: image.readUInt32BE(16), height: image.readUInt32BE(20) };
}

function sizeOfGif(image: Buffer): Size {
  // Tesseract reads the first frame only; saying nothing about the others would lose text in silence.
  if (frameCount(image) > 1) throw new Refusal("bad_image", "an animated GIF cannot be read; send one frame");
  return { width: image.readUInt16LE(6), height: image.readUInt16LE(8) };
}

function sizeOfBmp(image: Buffer): Size {
  if (image.length > MAX_BMP_BYTES) {
    throw new Refusal("too_large", `a BMP may have at most ${MAX_BMP_BYTES} bytes; send a larger picture as PNG`);
  }
  const isCoreHeader = image.readUInt32LE(14) === 12;
  if (isCoreHeader) return { width: image.readUInt16LE(18), height: image.readUInt16LE(20) };
  // A negative height means rows from top to bottom.
  return { width: image.readInt32LE(18), height: Math.abs(image.readInt32LE(22)) };
}

/** Walks the segments to the frame header (ITU T.81, B.2.2); a thumbnail lies inside a segment and is skipped with it. */
function sizeOfJpeg(image: Buffer): Size {
  let at = 2;
  for (;;) {
    if (image.readUInt8(at) !== 0xff) throw new Refusal("bad_image", "the image is damaged");
    const marker = image.readUInt8(at + 1);
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame) return { width: image.readUInt16BE(at + 7), height: image.readUInt16BE(at + 5) };
    // Any number of 0xff may stand before a marker.
    at += marker === 0xff ? 1 : 2 + image.readUInt16BE(at + 2);
  }
}

function sizeOfWebp(image: Buffer): Size {
  const chunk = image.toString("latin1", 12, 16);
  if (chunk === "VP8 ") return { width: image.readUInt16LE(26) & 0x3fff, height: image.readUInt16LE(28) & 0x3fff };
  if (chunk === "VP8L") {
    const bits = image.readUInt32LE(21);
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
  }
  if (chunk !== "VP8X") throw new Refusal("bad_image", "the image is damaged");
  const isAnimated = (image.readUInt8(20) & 0x02) !== 0;
  if (isAnimated) throw new Refusal("bad_image", "an animated WebP cannot be read; send one frame");
  return { width: image.readUIntLE(24, 3) + 1, height: image.readUIntLE(27, 3) + 1 };
}
