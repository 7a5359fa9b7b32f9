import type { ActDeps } from "@aigw/core";
import { inTime, WORK_PATIENCE_MS } from "@aigw/core/store";
import type { ControlFollower } from "./control-follower.ts";

export interface EndedKeysOptions {
  readonly follower: ControlFollower;
  readonly acts: ActDeps;
  /** The secrets are out of the log, and are to leave the store's files, too. */
  readonly onRetired: () => void;
  readonly onFault: (error: unknown) => void;
}

/** After an attempt, whatever came of it. */
const PAUSE_MS = 10_000;

/**
 * Sees to it that the secret of a signing key is gone once its grace is over, also when nobody rotates again: a copy of
 * the store that is made later, and a master key that leaks later, open nothing that was retired.
 */
export class EndedKeys {
  readonly #options: EndedKeysOptions;
  #nextAt = Number.NEGATIVE_INFINITY;

  constructor(options: EndedKeysOptions) {
    this.#options = options;
  }

  /** Costs next to nothing while there are none. Never throws. */
  look(): void {
    const { follower, acts } = this.#options;
    const now = acts.clock.monotonic();
    if (now < this.#nextAt || !follower.hasEndedKey(acts.store.traffic.steadyNow())) return;
    this.#nextAt = now + PAUSE_MS;
    void this.#retire().catch(this.#options.onFault);
  }

  async #retire(): Promise<void> {
    // Loaded when it is needed, which is seldom.
    const { retireEndedKeys } = await import("@aigw/core/acts");
    if (await inTime(retireEndedKeys(this.#options.acts), WORK_PATIENCE_MS)) this.#options.onRetired();
  }
}
