import { type AnyBulkWriteOperation, type Collection, MongoBulkWriteError, MongoNetworkError } from "mongodb";

/** In one command: a busy server must answer it well within the connection's time-out. */
const TOGETHER = 250;

/**
 * Writes all, in any order. For upserts with a guard: a record that is not behind is not found, and to insert it
 * anew meets its key.
 * @returns false when that happened; all others were written
 */
export const writeAll = async <T extends object>(
  collection: Collection<T>,
  writes: readonly AnyBulkWriteOperation<T>[],
): Promise<boolean> => {
  let all = true;
  for (let from = 0; from < writes.length; from += TOGETHER)
    all = (await writeSome(collection, writes.slice(from, from + TOGETHER))) && all;
  return all;
};

const writeSome = async <T extends object>(
  collection: Collection<T>,
  writes: AnyBulkWriteOperation<T>[],
): Promise<boolean> => {
  try {
    await collection.bulkWrite(writes, { ordered: false });
    return true;
  } catch (error) {
    if (!(error instanceof MongoBulkWriteError)) throw error;
    const errors = [error.writeErrors].flat();
    // The driver wraps it as well when no server answered, and forgets what that was.
    if (errors.length === 0 && error.code === undefined) throw new MongoNetworkError(error.message, { cause: error });
    if (
      errors.length > 0 &&
      error.result.getWriteConcernError() === undefined &&
      errors.every(({ code }) => code === 11_000)
    )
      return false;
    throw error;
  }
};
