import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import {
  DATABASE_NAMES,
  damagedBackup,
  MANIFEST_NAME,
  MAX_MANIFEST_BYTES,
  type Manifest,
  notABackup,
  type PartFacts,
  parseManifest,
} from "./manifest.ts";
import { readTarHeader, TAR_BLOCK, type TarEntry, tarPadding } from "./tar.ts";

const CHUNK = 1 << 20;

/**
 * Unpacks a backup into `folder`, which is empty and the caller's. No name from the archive becomes a path: the parts
 * are known, in a fixed order, and each must be what the manifest says.
 * @throws AigwError `invalid_value`, `store_corrupt`, `store_schema_newer`; an error of the file system as it is
 */
export const readArchive = async (archive: string, folder: string): Promise<Manifest> => {
  const file = await open(archive, "r");
  try {
    if ((await file.stat()).isDirectory()) throw notABackup(archive);
    const manifest = await readManifest(file, archive);
    for (const name of DATABASE_NAMES) {
      const entry = await readHeader(file);
      if (entry?.name !== name) throw damagedBackup(archive, `${name} is missing`);
      const expected = manifest.files[name];
      const found = entry.size === expected.bytes ? await unpack(file, entry, join(folder, name)) : undefined;
      if (found?.sha256 !== expected.sha256) throw damagedBackup(archive, `${name} is not what was backed up`);
    }
    return manifest;
  } finally {
    await file.close();
  }
};

const readManifest = async (file: FileHandle, archive: string): Promise<Manifest> => {
  const entry = await readHeader(file);
  if (entry?.name !== MANIFEST_NAME || entry.size > MAX_MANIFEST_BYTES) throw notABackup(archive);
  const content = await readExactly(file, entry.size + tarPadding(entry.size));
  if (content === undefined) throw damagedBackup(archive, "it ends too early");
  return parseManifest(Buffer.from(content.subarray(0, entry.size)).toString("utf8"), archive);
};

const readHeader = async (file: FileHandle): Promise<TarEntry | undefined> => {
  const block = await readExactly(file, TAR_BLOCK);
  const entry = block === undefined ? undefined : readTarHeader(block);
  return entry === "end" ? undefined : entry;
};

/** @returns undefined when the archive ends too early */
const unpack = async (file: FileHandle, { size }: TarEntry, path: string): Promise<PartFacts | undefined> => {
  const hash = createHash("sha256");
  const target = await open(path, "wx", 0o600);
  try {
    await target.chmod(0o600);
    for (let left = size; left > 0; ) {
      const chunk = await readExactly(file, Math.min(left, CHUNK));
      if (chunk === undefined) return undefined;
      hash.update(chunk);
      await target.writeFile(chunk);
      left -= chunk.byteLength;
    }
    await target.sync();
  } finally {
    await target.close();
  }
  if ((await readExactly(file, tarPadding(size))) === undefined) return undefined;
  return { bytes: size, sha256: hash.digest("hex") };
};

/** From the file's position. @returns undefined when there is less left */
const readExactly = async (file: FileHandle, length: number): Promise<Uint8Array | undefined> => {
  const buffer = new Uint8Array(length);
  for (let filled = 0; filled < length; ) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, null);
    if (bytesRead === 0) return undefined;
    filled += bytesRead;
  }
  return buffer;
};
