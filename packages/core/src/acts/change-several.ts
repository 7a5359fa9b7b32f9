import type { ChangeDraft } from "../changes/change.ts";
import { type ActDeps, type Committed, commit } from "./commit.ts";

/** What one of several subjects came to. */
export interface Changed<T> {
  readonly subject: T;
  /** False when it was like that already. */
  readonly changed: boolean;
}

/** What is concluded for one of them; without a draft it is as it should be. */
export interface Conclusion<T> {
  readonly draft?: ChangeDraft;
  readonly subject: T;
}

/**
 * One change of the log for all of them, or none: what is wrong with one leaves the others as they are.
 * @param find reads all of them, once more after every lost race. @throws whatever `find` throws; nothing was changed
 */
export const changeSeveral = <B, T>(
  deps: ActDeps,
  find: () => Promise<readonly B[]>,
  conclude: (before: B) => Conclusion<T>,
): Promise<Committed<readonly Changed<T>[]>> =>
  commit(deps, async () => {
    const concluded = (await find()).map(conclude);
    const draft = concluded.flatMap(({ draft: one = [] }) => one);
    const result = concluded.map(({ draft: one, subject }) => ({ subject, changed: one !== undefined }));
    return draft.length === 0 ? { result } : { draft, result };
  });

/** The one that was asked for alone. */
export const onlyOne = async <T>(acting: Promise<Committed<readonly Changed<T>[]>>): Promise<Committed<T>> => {
  const { result, ...committed } = await acting;
  const [only] = result;
  if (only === undefined) throw new TypeError("a change of one has one result");
  return { ...committed, result: only.subject };
};
