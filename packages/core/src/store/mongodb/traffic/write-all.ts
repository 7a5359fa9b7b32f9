import { type AnyBulkWriteOperation, type Collection, MongoBulkWriteError, MongoNetworkError } from "mongodb";

/**
 * Writes in one go, in any order. For upserts with a guard: a record that is not behind is not found, and to insert it
 * anew meets its key.
 * @returns false when that happened; all others were written
 */
export const writeAll = async <T extends object>(
  collection: Collection<T>,
  writes: readonly AnyBulkWriteOperation<T>[],
): Promise<boolean> => {
  if (writes.length === 0) return true;
  try {
    await collection.bulkWrite([...writes], { ordered: false });
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
