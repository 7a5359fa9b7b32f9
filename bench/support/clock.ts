/** Milliseconds on the machine's monotonic clock: the same in every process and thread, unlike `performance.now()`. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6;
