import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { assertRoomForUsage } from "../files/free-space.ts";
import { ProcessLock } from "../files/process-lock.ts";
import { assertPrivate } from "../sealing/master-key.ts";
import type { UsageEvent } from "../usage/usage-event.ts";
import { SpoolFile } from "./spool-file.ts";

export interface UsageSpoolOptions {
  /** Made when it is first needed, for this user alone, if the one above it is there. Several gateways may share it. */
  readonly folder: string;
  /** The gateway's: it names its file. */
  readonly id: string;
  readonly maxBytes?: number;
  /** Said once for each time that it begins. */
  readonly onProblem: (problem: SpoolProblem) => void;
}

export type SpoolProblem =
  /** It takes no more until something was delivered. */
  | { readonly kind: "full"; readonly bytes: number }
  /** The folder or the file cannot be used. */
  | { readonly kind: "unusable"; readonly error: unknown }
  /** What cannot be read was put aside. */
  | { readonly kind: "damaged"; readonly path: string; readonly bytes: number };

/** About a million calls. */
const MAX_BYTES = 256 * 2 ** 20;

/** A batch that waits for the store. */
export interface Spooled {
  readonly events: readonly UsageEvent[];
  /** The store has it. */
  done(): void;
}

/**
 * Usage that waits on the local disk while the store is away. Each gateway appends to a file of its own, which it holds
 * locked for as long as it lives; what one leaves behind is delivered by whoever finds it, once its lock is free. A
 * batch may be delivered more than once, before a kill and after: its events have ids, and the store takes each once.
 */
export class UsageSpool {
  readonly #options: UsageSpoolOptions;
  #own: { readonly file: SpoolFile; readonly lock: ProcessLock } | undefined;
  readonly #left: { readonly file: SpoolFile; readonly lock: ProcessLock }[] = [];
  #troubled: SpoolProblem["kind"] | undefined;

  constructor(options: UsageSpoolOptions) {
    this.#options = options;
  }

  /** Events of this gateway that wait here. */
  get events(): number {
    return this.#own?.file.events ?? 0;
  }

  /** Whether anything waits here to be delivered. Costs no I/O. */
  get isWaiting(): boolean {
    return this.#left.length > 0 || (this.#own !== undefined && this.#own.file.bytes > 0);
  }

  /** @returns false when it cannot take them: they are still the caller's */
  append(events: readonly UsageEvent[]): boolean {
    try {
      const { folder, maxBytes = MAX_BYTES } = this.#options;
      const file = this.#open();
      if (file.bytes >= maxBytes) return this.#trouble({ kind: "full", bytes: file.bytes });
      assertRoomForUsage(join(folder, "usage"));
      file.append(events);
      this.#troubled = undefined;
      return true;
    } catch (error) {
      return this.#trouble({ kind: "unusable", error });
    }
  }

  /** The oldest batch, first of those that others left behind. */
  next(): Spooled | undefined {
    for (let left = this.#left[0]; left !== undefined; left = this.#left[0]) {
      const events = left.file.peek();
      if (events !== undefined) return { events, done: () => left?.file.take() };
      this.#finish(left);
      this.#left.shift();
    }
    const own = this.#own;
    const events = own?.file.peek();
    if (own !== undefined && events !== undefined) return { events, done: () => own.file.take() };
    if (own !== undefined && own.file.bytes > 0) {
      // Somebody wrote into it.
      this.#finish(own);
      this.#own = undefined;
    }
    return undefined;
  }

  /** Takes over what gateways that have ended left behind. */
  adopt(): void {
    const { folder, id } = this.#options;
    try {
      if (!existsSync(folder)) return;
      assertPrivate(folder, "folder");
      for (const name of readdirSync(folder)) {
        const owner = /^(.+)\.usage$/.exec(name)?.[1];
        if (owner === undefined || owner === id || this.#left.some(({ file }) => file.path === this.#path(owner)))
          continue;
        const lock = ProcessLock.take(this.#path(owner, "lock"));
        if (lock === undefined) continue;
        if (existsSync(this.#path(owner))) this.#left.push({ file: new SpoolFile(this.#path(owner)), lock });
        else {
          // Somebody else was faster.
          rmSync(this.#path(owner, "lock"), { force: true });
          lock.release();
        }
      }
    } catch (error) {
      this.#trouble({ kind: "unusable", error });
    }
  }

  /** What waits here is delivered by the next gateway. */
  close(): void {
    for (const spool of [...this.#left.splice(0), ...(this.#own === undefined ? [] : [this.#own])]) {
      if (spool.file.bytes === 0) this.#finish(spool);
      else {
        spool.file.close();
        spool.lock.release();
      }
    }
    this.#own = undefined;
  }

  #open(): SpoolFile {
    if (this.#own !== undefined) return this.#own.file;
    const { folder, id } = this.#options;
    makeOne(folder);
    assertPrivate(folder, "folder");
    const lock = ProcessLock.take(this.#path(id, "lock"));
    if (lock === undefined) throw new Error(`${this.#path(id, "lock")} is held by another process`);
    this.#own = { file: new SpoolFile(this.#path(id)), lock };
    return this.#own.file;
  }

  /** Nothing is to be read there any more. */
  #finish({ file, lock }: { readonly file: SpoolFile; readonly lock: ProcessLock }): void {
    const { damagedBytes: bytes } = file;
    file.close();
    if (bytes === 0) rmSync(file.path, { force: true });
    else {
      const path = `${file.path}.damaged`;
      renameSync(file.path, path);
      this.#options.onProblem({ kind: "damaged", path, bytes });
    }
    rmSync(file.path.replace(/\.usage$/, ".lock"), { force: true });
    lock.release();
  }

  #trouble(problem: SpoolProblem): false {
    if (this.#troubled !== problem.kind) this.#options.onProblem(problem);
    this.#troubled = problem.kind;
    return false;
  }

  #path(id: string, ending: "usage" | "lock" = "usage"): string {
    return join(this.#options.folder, `${id}.${ending}`);
  }
}

/** Not with what is above it: a home that was moved away must not come to be again. */
const makeOne = (folder: string): void => {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    // Also by another process just now.
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
};
