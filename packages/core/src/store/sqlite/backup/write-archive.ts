import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { PartFacts } from "./manifest.ts";
import { TAR_END, tarHeader, tarPadding } from "./tar.ts";

export type ArchivePart =
  | { readonly name: string; readonly content: Uint8Array }
  | { readonly name: string; readonly path: string };

const CHUNK = 1 << 20;

/** Writes the parts into `archive`, an empty file of the caller's. */
export const writeArchive = async (
  archive: string,
  parts: readonly ArchivePart[],
  modifiedAt: number,
  signal: AbortSignal | undefined,
): Promise<void> => {
  const file = await open(archive, "r+");
  try {
    for (const part of parts) await writePart(file, part, modifiedAt, signal);
    await file.writeFile(TAR_END);
  } finally {
    await file.close();
  }
};

const writePart = async (
  file: FileHandle,
  part: ArchivePart,
  modifiedAt: number,
  signal: AbortSignal | undefined,
): Promise<void> => {
  const size = "path" in part ? await sizeOf(part.path) : part.content.byteLength;
  await file.writeFile(tarHeader({ name: part.name, size }, modifiedAt));
  if ("path" in part) {
    for await (const chunk of chunksOf(part.path, signal)) await file.writeFile(chunk);
  } else {
    await file.writeFile(part.content);
  }
  await file.writeFile(new Uint8Array(tarPadding(size)));
};

export const hashFile = async (path: string, signal: AbortSignal | undefined): Promise<PartFacts> => {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of chunksOf(path, signal)) {
    hash.update(chunk);
    bytes += chunk.byteLength;
  }
  return { bytes, sha256: hash.digest("hex") };
};

const chunksOf = (path: string, signal: AbortSignal | undefined): AsyncIterable<Uint8Array> =>
  createReadStream(path, { highWaterMark: CHUNK, ...(signal === undefined ? {} : { signal }) });

const sizeOf = async (path: string): Promise<number> => {
  const file = await open(path, "r");
  try {
    return (await file.stat()).size;
  } finally {
    await file.close();
  }
};
