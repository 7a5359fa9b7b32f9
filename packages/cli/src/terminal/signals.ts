import type { StopSignal } from "./io.ts";

/** A script runner such as pnpm passes on the Ctrl-C that the terminal has delivered already: that is not a second one. */
const SAME_KEYSTROKE_MS = 250;

type Listener = (signal: StopSignal) => void;

/**
 * Ctrl-C and SIGTERM go to whoever listens; without a listener, and the second time, they end the process with 130.
 * @returns `Io.onStop`
 */
export const processSignals = (): ((listener: Listener) => () => void) => {
  const listeners = new Set<Listener>();
  let firstAt: number | undefined;
  const onSignal = (signal: StopSignal): void => {
    const now = performance.now();
    if (listeners.size === 0 || (firstAt !== undefined && now - firstAt > SAME_KEYSTROKE_MS)) process.exit(130);
    if (firstAt !== undefined) return;
    firstAt = now;
    for (const listener of listeners) listener(signal);
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return (listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
};
