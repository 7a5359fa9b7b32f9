import { Interrupted } from "./cli-error.ts";
import type { Context } from "./context.ts";

/** Work that leaves nothing when it is ended: Ctrl-C, or SIGTERM, aborts the signal. @throws Interrupted */
export const interruptible = async <T>(ctx: Context, work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
  const stop = new AbortController();
  const forget = ctx.io.onStop(() => stop.abort());
  try {
    return await work(stop.signal);
  } catch (error) {
    if (stop.signal.aborted) throw new Interrupted("Cancelled. Nothing was written.", { cause: error });
    throw error;
  } finally {
    forget();
  }
};
