import { once } from "node:events";
import type { Writable } from "node:stream";

/** Waits until it takes more. @returns false when it takes nothing any more */
export const drained = async (stream: Writable): Promise<boolean> => {
  if (stream.destroyed) return false;
  const closed = new AbortController();
  const onClose = (): void => closed.abort();
  stream.once("close", onClose);
  try {
    await once(stream, "drain", { signal: closed.signal });
    return true;
  } catch {
    return false;
  } finally {
    stream.off("close", onClose);
  }
};
