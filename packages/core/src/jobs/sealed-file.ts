import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { AigwError } from "../errors.ts";
import { syncFolder } from "../files/sync-path.ts";
import { translateFsError } from "../files/translate-fs-error.ts";
import type { Sealer } from "../sealing/sealer.ts";
import { FolderCalls } from "./folder-calls.ts";

/** What a key is derived from, beside the master key: a file under another name opens nothing. */
export interface SealContext {
  readonly sealer: Pick<Sealer, "mac">;
  readonly storeId: string;
  /** Such as `j_… answer`. */
  readonly name: string;
}

const MAGIC = Buffer.from("aigwjob1");
const SALT_BYTES = 16;
const TAG_BYTES = 16;
/** Of content in one piece: what is read for one byte of it, and held while it is written. */
const PIECE = 64 * 1024;
const HEAD_BYTES = MAGIC.length + SALT_BYTES + 4;
/** So much is held back by the system at most, bytes: the last write to the disk is not one that takes minutes. */
const SYNC_BYTES = 64 * 1024 * 1024;
/** The head of an answer is far smaller. */
const MAX_FACTS = 1024 * 1024;

const FACTS = 1;
const CONTENT = 2;
const LAST = 3;

/**
 * A file of facts and content, sealed with AES-256-GCM under a key of its own, which its salt and its name give: so
 * pieces are numbered from 0, and their numbers are the nonces. The last is marked, as in the STREAM construction
 * (Hoang, Reyhanitabar, Rogaway, Vizár 2015): pieces that are missing, moved, or another file's are found out.
 *
 *     aigwjob1 · salt (16) · length of the sealed facts (4, big-endian) · facts · piece 0 · piece 1 …
 *
 * Each piece has 64 KiB of content but the last, and 16 bytes of its tag.
 */
const keyOf = ({ sealer, storeId, name }: SealContext, salt: Buffer): Uint8Array =>
  sealer.mac("job-file", storeId, `${name} ${salt.toString("hex")}`);

const nonceOf = (kind: number, number: number): Buffer => {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt8(kind, 0);
  nonce.writeUIntBE(number, 6, 6);
  return nonce;
};

const sealPiece = (key: Uint8Array, kind: number, number: number, content: Uint8Array): Buffer => {
  const cipher = createCipheriv("aes-256-gcm", key, nonceOf(kind, number));
  return Buffer.concat([cipher.update(content), cipher.final(), cipher.getAuthTag()]);
};

const openPiece = (key: Uint8Array, kind: number, number: number, sealed: Buffer): Buffer => {
  const end = sealed.length - TAG_BYTES;
  if (end < 0) throw damaged();
  const decipher = createDecipheriv("aes-256-gcm", key, nonceOf(kind, number), { authTagLength: TAG_BYTES });
  decipher.setAuthTag(sealed.subarray(end));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()]);
  } catch (cause) {
    throw damaged(cause);
  }
};

const damaged = (cause?: unknown): AigwError =>
  new AigwError("store_corrupt", "A job's file is damaged, or is another job's. It cannot be read.", { cause });

/** How large a file of these facts and so much content gets, bytes. */
export const sealedSize = (facts: unknown, contentBytes: number): number =>
  HEAD_BYTES +
  Buffer.byteLength(JSON.stringify(facts)) +
  TAG_BYTES * (1 + Math.max(1, Math.ceil(contentBytes / PIECE))) +
  contentBytes;

/** Writes one file from its beginning to its end, holding one piece. */
export class SealedWriter {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #calls: FolderCalls;
  readonly #key: Uint8Array;
  #piece: Buffer[] = [];
  #held = 0;
  #number = 0;
  #synced = 0;
  #isClosed = false;
  /** Content taken so far. */
  bytes = 0;
  /** Of the file, written so far: its head, and all but the last piece of the content, each with its tag. */
  size: number;

  private constructor(path: string, file: FileHandle, calls: FolderCalls, key: Uint8Array, size: number) {
    this.size = size;
    this.#path = path;
    this.#file = file;
    this.#calls = calls;
    this.#key = key;
  }

  /**
   * @param path there must be none yet
   * @param calls makes those of the file system
   * @throws AigwError `store_full`, `store_read_only`, `store_unavailable`
   */
  static async create(
    path: string,
    context: SealContext,
    facts: unknown,
    calls: FolderCalls = new FolderCalls(path),
  ): Promise<SealedWriter> {
    let file: FileHandle | undefined;
    try {
      file = await opened(calls, path, "wx");
      const salt = randomBytes(SALT_BYTES);
      const key = keyOf(context, salt);
      const sealed = sealPiece(key, FACTS, 0, Buffer.from(JSON.stringify(facts)));
      const head = Buffer.concat([MAGIC, salt, Buffer.alloc(4)]);
      head.writeUInt32BE(sealed.length, HEAD_BYTES - 4);
      await append(calls, file, Buffer.concat([head, sealed]));
      return new SealedWriter(path, file, calls, key, head.length + sealed.length);
    } catch (error) {
      if (file !== undefined) await calls.close(file);
      throw translateFsError(error, path);
    }
  }

  /** @throws as {@link SealedWriter.create}; then only {@link SealedWriter.close} may follow */
  async write(content: Buffer): Promise<void> {
    this.bytes += content.length;
    let rest = content;
    while (this.#held + rest.length > PIECE) {
      const part = rest.subarray(0, PIECE - this.#held);
      this.#piece.push(part);
      rest = rest.subarray(part.length);
      await this.#flush(CONTENT);
    }
    // A copy: the piece may be all that is left of a large buffer.
    this.#piece.push(Buffer.from(rest));
    this.#held += rest.length;
  }

  /** What was written survives a power loss when this returns. */
  async end(): Promise<void> {
    await this.#flush(LAST);
    try {
      await this.#calls.run(() => this.#file.sync());
      await this.#calls.run(() => syncFolder(dirname(this.#path)));
    } catch (error) {
      throw translateFsError(error, this.#path);
    }
    await this.close();
  }

  /** In the middle of it: it is to be deleted. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#calls.close(this.#file);
  }

  async #flush(kind: typeof CONTENT | typeof LAST): Promise<void> {
    const sealed = sealPiece(this.#key, kind, this.#number, Buffer.concat(this.#piece));
    this.#number += 1;
    this.#piece = [];
    this.#held = 0;
    try {
      await append(this.#calls, this.#file, sealed);
      this.size += sealed.length;
      if (this.size - this.#synced < SYNC_BYTES) return;
      await this.#calls.run(() => this.#file.datasync());
      this.#synced = this.size;
    } catch (error) {
      throw translateFsError(error, this.#path);
    }
  }
}

/** Reads one file, as much of it as is asked for. */
export class SealedReader {
  /** What was said of the content when the file was begun. */
  readonly facts: unknown;
  /** Of the content, bytes. */
  readonly length: number;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #calls: FolderCalls;
  readonly #key: Uint8Array;
  readonly #start: number;
  readonly #pieces: number;

  private constructor(
    path: string,
    file: FileHandle,
    calls: FolderCalls,
    key: Uint8Array,
    facts: unknown,
    at: { readonly start: number; readonly pieces: number; readonly length: number },
  ) {
    this.#path = path;
    this.#file = file;
    this.#calls = calls;
    this.#key = key;
    this.facts = facts;
    this.#start = at.start;
    this.#pieces = at.pieces;
    this.length = at.length;
  }

  /**
   * Opens it, and looks at its end: one that was cut is damaged.
   * @param calls makes those of the file system
   * @throws AigwError `store_corrupt`, `store_unavailable` when there is none
   */
  static async open(
    path: string,
    context: SealContext,
    calls: FolderCalls = new FolderCalls(path),
  ): Promise<SealedReader> {
    let file: FileHandle | undefined;
    try {
      file = await opened(calls, path, "r");
      const known = file;
      const head = await readAt(calls, file, 0, HEAD_BYTES);
      const factsBytes = head.readUInt32BE(HEAD_BYTES - 4);
      if (!head.subarray(0, MAGIC.length).equals(MAGIC) || factsBytes > MAX_FACTS) throw damaged();
      const key = keyOf(context, head.subarray(MAGIC.length, MAGIC.length + SALT_BYTES));
      const facts: unknown = JSON.parse(
        openPiece(key, FACTS, 0, await readAt(calls, file, HEAD_BYTES, factsBytes)).toString(),
      );
      const start = HEAD_BYTES + factsBytes;
      const { size } = await calls.run(() => known.stat());
      const pieces = Math.max(1, Math.ceil((size - start) / (PIECE + TAG_BYTES)));
      const length = size - start - pieces * TAG_BYTES;
      const reader = new SealedReader(path, file, calls, key, facts, { start, pieces, length });
      await reader.#piece(pieces - 1);
      return reader;
    } catch (error) {
      if (file !== undefined) await calls.close(file);
      throw translateFsError(error, path);
    }
  }

  /** @param from the first byte, @param until the one behind the last */
  async *read(from = 0, until: number = this.length): AsyncGenerator<Buffer> {
    for (let number = Math.floor(from / PIECE); number * PIECE < until; number += 1) {
      const piece = await this.#piece(number);
      const part = piece.subarray(Math.max(0, from - number * PIECE), Math.min(piece.length, until - number * PIECE));
      if (part.length > 0) yield part;
    }
  }

  async close(): Promise<void> {
    await this.#calls.close(this.#file);
  }

  async #piece(number: number): Promise<Buffer> {
    const isLast = number === this.#pieces - 1;
    const at = number * (PIECE + TAG_BYTES);
    const bytes = isLast ? this.length - number * PIECE + TAG_BYTES : PIECE + TAG_BYTES;
    try {
      const sealed = await readAt(this.#calls, this.#file, this.#start + at, bytes);
      return openPiece(this.#key, isLast ? LAST : CONTENT, number, sealed);
    } catch (error) {
      throw translateFsError(error, this.#path);
    }
  }
}

/** One that is opened when nobody waits for it any more is let go. */
const opened = (calls: FolderCalls, path: string, flags: "r" | "wx"): Promise<FileHandle> =>
  calls.run(
    () => open(path, flags, 0o600),
    (late) => void calls.close(late),
  );

const append = (calls: FolderCalls, file: FileHandle, bytes: Uint8Array): Promise<void> =>
  calls.run(() => file.appendFile(bytes));

const readAt = async (calls: FolderCalls, file: FileHandle, position: number, bytes: number): Promise<Buffer> => {
  if (bytes < 0) throw damaged();
  const buffer = Buffer.alloc(bytes);
  let have = 0;
  while (have < bytes) {
    const { bytesRead } = await calls.run(() => file.read(buffer, have, bytes - have, position + have));
    if (bytesRead === 0) throw damaged();
    have += bytesRead;
  }
  return buffer;
};
