import type { StopSignal } from "./io.ts";

/** A script runner such as pnpm passes on the Ctrl-C that the terminal has delivered already: that is not a second one. */
const SAME_KEYSTROKE_MS = 250;

type Listener = (signal: StopSignal) => void;

export interface ProcessSignals {
  /** `Io.onStop` */
  readonly onStop: (listener: Listener) => () => void;
  /** Another program has the terminal, and Ctrl-C is that program's. @returns how to take it back */
  readonly lend: () => () => void;
}

/** Ctrl-C and SIGTERM go to whoever listens; without a listener, and the second time, they end the process with 130. */
export const processSignals = (): ProcessSignals => {
  const listeners = new Set<Listener>();
  let firstAt: number | undefined;
  let lentUntil = Number.NEGATIVE_INFINITY;
  const onSignal = (signal: StopSignal): void => {
    const now = performance.now();
    if (signal === "SIGINT" && now < lentUntil) return;
    if (listeners.size === 0 || (firstAt !== undefined && now - firstAt > SAME_KEYSTROKE_MS)) process.exit(130);
    if (firstAt !== undefined) return;
    firstAt = now;
    for (const listener of listeners) listener(signal);
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    onStop: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    lend: () => {
      lentUntil = Number.POSITIVE_INFINITY;
      return () => {
        // The system may hand a signal to one thread and a later one, of the program's end, to another that is faster.
        lentUntil = performance.now() + SAME_KEYSTROKE_MS;
      };
    },
  };
};
