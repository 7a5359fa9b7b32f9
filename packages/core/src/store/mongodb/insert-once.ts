import { setTimeout as delay } from "node:timers/promises";
import { BSON, type Collection, type Filter, type OptionalUnlessRequiredId, type WithId } from "mongodb";
import { systemClock } from "../../clock.ts";
import { AigwError } from "../../errors.ts";
import { COMMAND_PATIENCE_MS, isDuplicateKey, translated, wasDone } from "./translate-error.ts";

const PAUSE_MS = 50;

/** A document whose `_id` says what it is, and whose nonce says whose. */
interface Claim {
  readonly _id: number | string;
  readonly nonce: string;
}

/**
 * Inserts a document, unless there is one with its `_id`. When an answer is lost on the way, it is found out what became
 * of it: the same document again does no harm, and one that is there already is this one or somebody else's.
 * @returns false when somebody else was first; nothing was written
 * @throws AigwError `invalid_value` when it is more than a document can be
 * @throws AigwError `store_*`; the details' `uncertain` is true when it may have been, or may yet be, written
 */
export const insertOnce = async <T extends Claim>(collection: Collection<T>, document: T): Promise<boolean> => {
  assertFits(document);
  const deadline = systemClock.monotonic() + COMMAND_PATIENCE_MS;
  let uncertain = false;
  for (;;) {
    try {
      const leftMs = deadline - systemClock.monotonic();
      const isFirst = await translated(() => insertOrLook(collection, document, uncertain), leftMs);
      if (isFirst !== undefined) return isFirst;
      uncertain = true;
    } catch (error) {
      const done = wasDone(error);
      uncertain ||= done === "perhaps";
      if (done === "no" || systemClock.monotonic() + PAUSE_MS > deadline) throw uncertain ? doubtful(error) : error;
    }
    await delay(PAUSE_MS);
  }
};

/**
 * @param look first: it may be there already
 * @returns undefined when there is one that a majority of the servers does not have yet: it may still be lost
 */
const insertOrLook = async <T extends Claim>(
  collection: Collection<T>,
  document: T,
  look: boolean,
): Promise<boolean | undefined> => {
  const there = look ? await find(collection, document) : null;
  if (there !== null) return there["nonce"] === document.nonce;
  try {
    await collection.insertOne(document as OptionalUnlessRequiredId<T>);
    return true;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    const found = await find(collection, document);
    return found === null ? undefined : found["nonce"] === document.nonce;
  }
};

const find = <T extends Claim>(collection: Collection<T>, { _id }: T): Promise<WithId<T> | null> =>
  collection.findOne({ _id } as Filter<T>);

const LARGEST_BYTES = 16 * 2 ** 20;

/** What is a little larger the server refuses with a code for many things, and the driver cannot even write what is much larger. */
const assertFits = (document: Claim): void => {
  const bytes = BSON.calculateObjectSize(document);
  if (bytes <= LARGEST_BYTES) return;
  throw new AigwError(
    "invalid_value",
    `This change has ${bytes} bytes, and MongoDB takes ${LARGEST_BYTES} at once. Do it in parts.`,
  );
};

const doubtful = (error: unknown): unknown =>
  error instanceof AigwError
    ? new AigwError(error.code, `${error.message} It is not known whether the change was made.`, {
        cause: error,
        details: { ...error.details, uncertain: true },
      })
    : error;
