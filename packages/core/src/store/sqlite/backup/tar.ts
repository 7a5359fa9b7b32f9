/** Just enough of POSIX ustar for a few plain files with short names, so that `tar xf` opens a backup too. */
export const TAR_BLOCK = 512;

export interface TarEntry {
  readonly name: string;
  readonly size: number;
}

const CHECKSUM_AT = 148;
const CHECKSUM_END = 156;
/** Above it the size does not fit eleven octal digits; GNU and POSIX 2024 then use base 256. */
const MAX_OCTAL_SIZE = 8 ** 11 - 1;

/** @param modifiedAt milliseconds since the epoch */
export const tarHeader = ({ name, size }: TarEntry, modifiedAt: number): Uint8Array => {
  const header = Buffer.alloc(TAR_BLOCK);
  header.write(name, 0, 100, "ascii");
  header.write("0000600\0", 100, "ascii");
  header.write("0000000\0", 108, "ascii");
  header.write("0000000\0", 116, "ascii");
  if (size <= MAX_OCTAL_SIZE) {
    header.write(`${size.toString(8).padStart(11, "0")}\0`, 124, "ascii");
  } else {
    header[124] = 0x80;
    header.writeBigUInt64BE(BigInt(size), 128);
  }
  header.write(
    `${Math.floor(modifiedAt / 1000)
      .toString(8)
      .padStart(11, "0")}\0`,
    136,
    "ascii",
  );
  header.write("0", 156, "ascii");
  header.write("ustar\x0000", 257, "ascii");
  header.write(`${checksumOf(header).toString(8).padStart(6, "0")}\0 `, CHECKSUM_AT, "ascii");
  return header;
};

/** @returns the entry; `end` for the block of zeros behind the last one; undefined when it is no header of a plain file */
export const readTarHeader = (block: Uint8Array): TarEntry | "end" | undefined => {
  const header = Buffer.from(block.buffer, block.byteOffset, block.byteLength);
  if (header.every((byte) => byte === 0)) return "end";
  const isPlain = header.toString("ascii", 156, 157) === "0" && header.toString("ascii", 257, 262) === "ustar";
  if (!isPlain || octal(header, CHECKSUM_AT, CHECKSUM_END) !== checksumOf(header)) return undefined;
  const size = header[124] === 0x80 ? Number(header.readBigUInt64BE(128)) : octal(header, 124, 136);
  if (size === undefined || !Number.isSafeInteger(size)) return undefined;
  return { name: textUpToNul(header, 0, 100), size };
};

/** Zeros that fill the last block of a file of `size` bytes. */
export const tarPadding = (size: number): number => (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK;

/** Behind the last file. */
export const TAR_END: Uint8Array = new Uint8Array(2 * TAR_BLOCK);

/** The sum of all bytes, its own field counted as spaces. */
const checksumOf = (header: Uint8Array): number => {
  let sum = 0;
  for (const [index, byte] of header.entries()) {
    sum += index >= CHECKSUM_AT && index < CHECKSUM_END ? 0x20 : byte;
  }
  return sum;
};

const textUpToNul = (header: Buffer, from: number, to: number): string =>
  header.toString("ascii", from, to).replace(/\0[\s\S]*$/, "");

const octal = (header: Buffer, from: number, to: number): number | undefined => {
  const digits = textUpToNul(header, from, to).trim();
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : undefined;
};
