import { type Account, leftBehind, takenUp } from "./account.ts";
import type { AccountJournal } from "./account-journal.ts";
import { AccountWriter, type AccountWriterOptions } from "./account-writer.ts";

/** How often it is looked for what others left behind. */
const DELIVER_MS = 5_000;

/** What the store does not have yet, on the local disk: one's own, and what gateways that have ended left there. */
export class JournalKeeper {
  readonly #journal: AccountJournal;
  readonly #options: AccountWriterOptions;
  #deliverAt = Number.NEGATIVE_INFINITY;
  /** The last try to keep something failed, and was told of. */
  #isFailing = false;

  /** @param options of the gateway whose journal it is */
  constructor(journal: AccountJournal, options: AccountWriterOptions) {
    this.#journal = journal;
    this.#options = options;
  }

  /** What the store does not have goes to the disk, and what it has leaves it. @param isAway the store takes nothing */
  keep(accounts: Iterable<Account>, isAway: boolean): void {
    if (!this.#journal.isWaiting && !isAway) return;
    try {
      this.#journal.keep([...accounts].flatMap((account) => leftBehind(account, this.#options.holder) ?? []));
      this.#isFailing = false;
    } catch (error) {
      // A disk that is full stays so for longer than a sweep.
      if (!this.#isFailing) this.#options.onError(error);
      this.#isFailing = true;
    }
  }

  /** Writes into the store what gateways that have ended left behind. @param now the store's steady milliseconds */
  async deliver(now: number): Promise<void> {
    if (now < this.#deliverAt) return;
    this.#deliverAt = now + DELIVER_MS;
    try {
      for (const found of this.#journal.find()) {
        const writer = new AccountWriter({ ...this.#options, holder: found.holder });
        let left = found.accounts.length;
        try {
          for (const account of found.accounts) if (await writer.takeUp(takenUp(account, found.holder))) left -= 1;
        } finally {
          if (left === 0) found.done();
          else found.leave();
        }
      }
    } catch (error) {
      this.#options.onError(error);
    }
  }

  close(): void {
    this.#journal.close();
  }
}
