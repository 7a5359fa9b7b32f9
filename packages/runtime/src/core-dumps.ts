import { readFileSync } from "node:fs";

/**
 * Whether the system would write this process's memory, and with it the master key, to a file when it crashes: its soft
 * limit allows it. Node cannot set that limit. False where it cannot be read.
 */
export const mayDumpCore = (): boolean => {
  try {
    const [, soft] = /^Max core file size +(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return soft !== undefined && soft !== "0";
  } catch {
    return false;
  }
};
