import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ProcessLock } from "../files/process-lock.ts";
import { assertPrivate } from "../sealing/master-key.ts";
import type { Count, Holder } from "./quota-record.ts";

/** What one gateway has counted of one client and the store may not have. */
export interface LeftBehind {
  readonly client: string;
  /** Of the last write that was begun. */
  readonly seq: number;
  /** The gateway's part of the record, as it was last seen there. */
  readonly known: Holder | null;
  /** A write whose end is not known. */
  readonly inDoubt: { readonly holder: Holder; readonly carried: readonly (readonly [string, Count])[] } | null;
  readonly pending: readonly (readonly [string, Count])[];
}

/** What a gateway that has ended left behind. */
export interface FoundJournal {
  /** The gateway's id. */
  readonly holder: string;
  readonly accounts: readonly LeftBehind[];
  /** The store has it. */
  done(): void;
  /** It does not: whoever comes next may try. */
  leave(): void;
}

export interface AccountJournalOptions {
  /** Made when it is first needed, for this user alone, if the one above it is there. Several gateways may share it. */
  readonly folder: string;
  /** The gateway's: it names its file. */
  readonly id: string;
}

const ENDING = ".quotas";
/** What a gateway may leave; its id. */
const LEFT = /^(.+)\.quotas(?:\.lock|\.new)?$/;

/**
 * What quotas counted while the store was away, on the local disk: one file a gateway, written anew as a whole, held
 * locked for as long as the gateway lives. Nothing is synced: it survives the process, whatever ends it.
 */
export class AccountJournal {
  readonly #options: AccountJournalOptions;
  #lock: ProcessLock | undefined;
  #written = "";

  constructor(options: AccountJournalOptions) {
    this.#options = options;
  }

  /** Whether anything is kept. Costs no I/O. */
  get isWaiting(): boolean {
    return this.#written !== "";
  }

  /** In place of what was kept before; nothing: there is nothing to keep. @throws what node:fs throws */
  keep(accounts: readonly LeftBehind[]): void {
    const text = accounts.length === 0 ? "" : JSON.stringify(accounts);
    if (text === this.#written) return;
    const { folder, id } = this.#options;
    const path = this.#path(id);
    if (text === "") rmSync(path, { force: true });
    else {
      // A folder that was taken away is made anew.
      if (!this.#lock?.isInPlace()) {
        this.#lock?.release();
        this.#lock = undefined;
        if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700 });
        assertPrivate(folder, "folder");
        const lock = ProcessLock.take(`${path}.lock`);
        // Somebody who tidies up may have taken it for one that was left, and removed it in this moment.
        if (!lock?.isInPlace()) {
          lock?.release();
          throw new Error(`${path}.lock is held by another process`);
        }
        this.#lock = lock;
      }
      try {
        writeFileSync(`${path}.new`, text, { mode: 0o600 });
        renameSync(`${path}.new`, path);
      } catch (error) {
        rmSync(`${path}.new`, { force: true });
        throw error;
      }
    }
    this.#written = text;
  }

  /** What gateways that have ended left behind, one held at a time until it is said what became of it. @throws what node:fs throws */
  *find(): Generator<FoundJournal> {
    const { folder, id } = this.#options;
    if (!existsSync(folder)) return;
    assertPrivate(folder, "folder");
    const left = readdirSync(folder).flatMap((name) => LEFT.exec(name)?.[1] ?? []);
    for (const holder of new Set(left)) {
      if (holder === id) continue;
      const path = this.#path(holder);
      const lock = ProcessLock.take(`${path}.lock`);
      if (lock === undefined) continue;
      const finish = (): void => {
        for (const end of ["", ".new", ".lock"]) rmSync(path + end, { force: true });
        lock.release();
      };
      // It was killed when nothing was kept, or somebody else was faster.
      if (!existsSync(path)) {
        finish();
        continue;
      }
      let accounts: readonly LeftBehind[];
      try {
        accounts = JSON.parse(readFileSync(path, "utf8"));
      } catch (error) {
        renameSync(path, `${path}.damaged`);
        finish();
        throw error;
      }
      yield { holder, accounts, done: finish, leave: () => lock.release() };
    }
  }

  /** What is kept is delivered by the next gateway. */
  close(): void {
    if (this.#written === "" && this.#lock !== undefined)
      rmSync(`${this.#path(this.#options.id)}.lock`, { force: true });
    this.#lock?.release();
    this.#lock = undefined;
  }

  #path(id: string): string {
    return join(this.#options.folder, `${id}${ENDING}`);
  }
}
