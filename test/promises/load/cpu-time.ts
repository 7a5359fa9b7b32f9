import { readFileSync } from "node:fs";

const TICK_US = 10_000;

/** Processor time that a process has taken, in user and system mode, microseconds. */
export const cpuMicroseconds = (pid: number): number => {
  // Behind the name, which may hold anything: state is the third field, utime and stime the 14th and 15th.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
};
