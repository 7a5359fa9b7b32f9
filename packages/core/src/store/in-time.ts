import { AigwError, isAigwError } from "../errors.ts";
import type { MaybePromise } from "./store.ts";

/** How long a request waits for any one answer of the store, milliseconds. */
export const REQUEST_PATIENCE_MS = 250;
/** How long work that no request waits for waits for one answer: a batch, a report, a step of upkeep; milliseconds. */
export const WORK_PATIENCE_MS = 5_000;

/**
 * The answer of a store call, waited for so long at most. An answer that comes later, or a rejection, is nobody's any
 * more: what the call did or did not do in the store is then not known. An engine that answers at once pays nothing.
 * @throws AigwError `store_unavailable`, see {@link isSilence}
 */
export const inTime = <T>(answer: MaybePromise<T>, patienceMs: number): MaybePromise<T> => {
  if (!(answer instanceof Promise)) return answer;
  return new Promise<T>((settle, reject) => {
    const timer = setTimeout(() => reject(silence(patienceMs)), patienceMs);
    const answered = (): void => clearTimeout(timer);
    answer.finally(answered).then(settle, reject);
  });
};

const silence = (waitedMs: number): AigwError =>
  new AigwError("store_unavailable", `The store did not answer within ${waitedMs} ms. Check that it runs.`, {
    details: { waitedMs },
  });

/** Whether it is what {@link inTime} throws: asking again would take as long again. */
export const isSilence = (error: unknown): boolean =>
  isAigwError(error, "store_unavailable") && "waitedMs" in error.details;
