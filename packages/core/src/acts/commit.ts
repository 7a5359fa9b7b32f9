import type { Change, ChangeDraft } from "../changes/change.ts";
import type { Clock } from "../clock.ts";
import { AigwError, isAigwError } from "../errors.ts";
import type { Sealer } from "../sealing/sealer.ts";
import type { Store } from "../store/store.ts";

/** What every admin act is given. */
export interface ActDeps {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock: Clock;
  /** Recorded with the change: `user@host`, or `gateway <instance>`. */
  readonly actor: string;
}

/** What an act concluded from the state it read: a change to append, or nothing to do; and what to tell the caller. */
export interface Decision<T> {
  /** Several are several effects of one change. */
  readonly draft?: ChangeDraft | readonly ChangeDraft[];
  readonly result: T;
}

export interface Committed<T> {
  readonly result: T;
  /** The revision from which on `result` holds. */
  readonly rev: number;
  /** False when nothing had to be changed. */
  readonly changed: boolean;
}

/** Each lost race means that somebody else's change went in, so this many in a row does not happen by accident. */
const ATTEMPTS = 100;

/**
 * Optimistic concurrency: reads the revision, lets `decide` read and conclude, appends with that revision. When another
 * change came in between, decides again on the new state.
 * @throws AigwError `changed_meanwhile` after 100 lost races, or whatever `decide` throws; nothing was changed then
 */
export const commit = async <T>(deps: ActDeps, decide: () => Promise<Decision<T>>): Promise<Committed<T>> => {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const rev = await deps.store.control.head();
    const { draft, result } = await decide();
    // Not `rev`: what made it unnecessary may have come in between.
    if (draft === undefined) return { result, rev: await deps.store.control.head(), changed: false };
    const change = await appendUnlessRaced(deps, rev, [draft].flat());
    if (change !== undefined) return { result, rev: change.rev, changed: true };
  }
  throw new AigwError(
    "changed_meanwhile",
    "Others keep changing the store at this moment. Nothing was done; try again.",
  );
};

const appendUnlessRaced = async (
  deps: ActDeps,
  rev: number,
  drafts: readonly ChangeDraft[],
): Promise<Change | undefined> => {
  try {
    return await deps.store.control.append(rev, drafts, { at: deps.clock.now(), actor: deps.actor });
  } catch (error) {
    if (isAigwError(error, "changed_meanwhile")) return undefined;
    throw error;
  }
};
