/** Whole seconds, at least 1, rounded up: who waits so long comes not too early. */
export const secondsUntil = (ms: number): number => Math.max(1, Math.ceil(ms / 1000));
