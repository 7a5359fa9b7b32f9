import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import type { UsageEvent } from "../usage/usage-event.ts";

/** Length and checksum of what follows, four bytes each. */
const HEADER_BYTES = 8;
/** No batch is larger: what says so is damaged. */
const MAX_RECORD_BYTES = 16 * 2 ** 20;

/**
 * Batches of usage in one file, each written in one go behind the last, with its length and checksum. Nothing is synced:
 * what was written survives the process, whatever ends it, but a power loss may cost the last moments.
 */
export class SpoolFile {
  readonly path: string;
  readonly #file: number;
  #readAt = 0;
  #end: number;
  #events = 0;
  #peeked = 0;

  /** @throws what node:fs throws */
  constructor(path: string) {
    this.path = path;
    this.#file = openSync(path, "a+", 0o600);
    this.#end = fstatSync(this.#file).size;
  }

  get bytes(): number {
    return this.#end;
  }

  /** Of those that were appended here: how many were not taken out yet. */
  get events(): number {
    return this.#events;
  }

  /** @throws what node:fs throws; nothing is left of the batch then */
  append(events: readonly UsageEvent[]): void {
    const payload = Buffer.from(JSON.stringify(events), "utf8");
    const record = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
    record.writeUInt32LE(payload.length, 0);
    record.writeUInt32LE(crc32(payload), 4);
    payload.copy(record, HEADER_BYTES);
    try {
      const written = writeSync(this.#file, record);
      // A disk that becomes full takes a part.
      if (written < record.length) throw Object.assign(new Error("no space for the whole batch"), { code: "ENOSPC" });
    } catch (error) {
      ftruncateSync(this.#file, this.#end);
      throw error;
    }
    this.#end += record.length;
    this.#events += events.length;
  }

  /** The oldest batch that was not taken out: the same until it is. Undefined: there is none, or what is there is damaged. */
  peek(): readonly UsageEvent[] | undefined {
    const payload = this.#read();
    if (payload === undefined) return undefined;
    const events = JSON.parse(payload.toString("utf8")) as readonly UsageEvent[];
    this.#peeked = events.length;
    return events;
  }

  /** The batch that {@link peek} gave is done with. Once all are, the file is empty again. */
  take(): void {
    const payload = this.#read();
    if (payload === undefined) return;
    this.#readAt += HEADER_BYTES + payload.length;
    this.#events = Math.max(0, this.#events - this.#peeked);
    if (this.#readAt < this.#end) return;
    ftruncateSync(this.#file, 0);
    this.#readAt = 0;
    this.#end = 0;
  }

  /** How much is left that cannot be read as a batch: a kill in the middle of a write leaves its last one so. */
  get damagedBytes(): number {
    return this.#read() === undefined ? this.#end - this.#readAt : 0;
  }

  close(): void {
    closeSync(this.#file);
  }

  #read(): Buffer | undefined {
    const header = this.#bytes(this.#readAt, HEADER_BYTES);
    if (header === undefined) return undefined;
    const length = header.readUInt32LE(0);
    if (length === 0 || length > MAX_RECORD_BYTES) return undefined;
    const payload = this.#bytes(this.#readAt + HEADER_BYTES, length);
    return payload !== undefined && crc32(payload) === header.readUInt32LE(4) ? payload : undefined;
  }

  #bytes(at: number, length: number): Buffer | undefined {
    if (at + length > this.#end) return undefined;
    const bytes = Buffer.allocUnsafe(length);
    return readSync(this.#file, bytes, 0, length, at) === length ? bytes : undefined;
  }
}
