import { readFileSync, writeFileSync } from "node:fs";

const MIB = 2 ** 20;

const field = (pid: number, name: string): number => {
  const kib = new RegExp(`^${name}:\\s+([0-9]+) kB$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return (Number(kib) * 1024) / MIB;
};

/** What of the process is in memory at this moment, MiB. */
export const residentMiB = (pid: number): number => field(pid, "VmRSS");

/** The most that was since the last {@link resetPeak}, MiB. */
export const peakMiB = (pid: number): number => field(pid, "VmHWM");

export const resetPeak = (pid: number): void => writeFileSync(`/proc/${pid}/clear_refs`, "5");

/** How many files the process may have open. */
export const mostOpenFiles = (pid: number): number => {
  const [, most] = /^Max open files +([0-9]+|unlimited)/m.exec(readFileSync(`/proc/${pid}/limits`, "utf8")) ?? [];
  return most === undefined || most === "unlimited" ? Number.POSITIVE_INFINITY : Number(most);
};
