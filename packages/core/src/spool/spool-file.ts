import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import type { UsageEvent } from "../usage/usage-event.ts";

/** Length and checksum of what follows, four bytes each. */
const HEADER_BYTES = 8;
/** No batch is larger: what says so is damaged. */
const MAX_RECORD_BYTES = 16 * 2 ** 20;
/** Given out together: what a store takes as one. */
const ENOUGH_EVENTS = 500;

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
  #peeked: { readonly end: number; readonly events: number } | undefined;

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

  /**
   * The oldest batches that were not taken out, as many as {@link ENOUGH_EVENTS} events, and one at least: an outage
   * leaves many small ones, and a store behind a network takes as long for one event as for all of them. Undefined:
   * there is none, or what is there is damaged.
   */
  peek(): readonly UsageEvent[] | undefined {
    const events: UsageEvent[] = [];
    let end = this.#readAt;
    while (events.length < ENOUGH_EVENTS) {
      const payload = this.#read(end);
      if (payload === undefined) break;
      const batch = JSON.parse(payload.toString("utf8")) as readonly UsageEvent[];
      if (events.length > 0 && events.length + batch.length > ENOUGH_EVENTS) break;
      for (const event of batch) events.push(event);
      end += HEADER_BYTES + payload.length;
    }
    if (end === this.#readAt) return undefined;
    this.#peeked = { end, events: events.length };
    return events;
  }

  /** What {@link peek} gave last is done with. Once all is, the file is empty again. */
  take(): void {
    if (this.#peeked === undefined) return;
    this.#readAt = this.#peeked.end;
    this.#events = Math.max(0, this.#events - this.#peeked.events);
    this.#peeked = undefined;
    if (this.#readAt < this.#end) return;
    ftruncateSync(this.#file, 0);
    this.#readAt = 0;
    this.#end = 0;
  }

  /** How much is left that cannot be read as a batch: a kill in the middle of a write leaves its last one so. */
  get damagedBytes(): number {
    return this.#read(this.#readAt) === undefined ? this.#end - this.#readAt : 0;
  }

  close(): void {
    closeSync(this.#file);
  }

  #read(at: number): Buffer | undefined {
    const header = this.#bytes(at, HEADER_BYTES);
    if (header === undefined) return undefined;
    const length = header.readUInt32LE(0);
    if (length === 0 || length > MAX_RECORD_BYTES) return undefined;
    const payload = this.#bytes(at + HEADER_BYTES, length);
    return payload !== undefined && crc32(payload) === header.readUInt32LE(4) ? payload : undefined;
  }

  #bytes(at: number, length: number): Buffer | undefined {
    if (at + length > this.#end) return undefined;
    const bytes = Buffer.allocUnsafe(length);
    return readSync(this.#file, bytes, 0, length, at) === length ? bytes : undefined;
  }
}
