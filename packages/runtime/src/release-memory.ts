/** With fewer the pause may wait until nobody calls. */
const MANY_CLIENTS = 20_000;
const QUIET_AFTER_MS = 2_000;

/**
 * Collects everything there is to collect, and gives the system back what V8 has kept for more. Only where Node was
 * started with `--expose-gc`, as `aigw serve` starts it.
 */
const release = (): void => void globalThis.gc?.({ type: "major", execution: "sync", flavor: "last-resort" });

/**
 * Gives back what loading took: clients survive until they are packed, by thousands, so V8 makes room for survivors that
 * will not come again, and keeps it. 50 MiB with 100,000 clients; to be called before anybody waits for an answer.
 */
export const releaseAfterLoading = (clients: number): void => {
  if (clients >= MANY_CLIENTS) release();
};

/** What starting took: 8 MiB, in 30 ms, once, and only when nothing is under way. @returns how to call it off */
export const releaseWhenQuiet = (isQuiet: () => boolean): (() => void) => {
  const timer = setTimeout(() => isQuiet() && release(), QUIET_AFTER_MS).unref();
  return () => clearTimeout(timer);
};
