import { readdirSync, readFileSync } from "node:fs";

/** Clock ticks a second in /proc, on every Linux that Node runs on. */
const TICKS = 100;

const childrenOf = (pid: number): readonly number[] =>
  readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );

/** Processor time that a process, its threads and its children have used, user and system; seconds, to 10 ms. */
export const cpuSeconds = (pid: number): number => {
  // The program's name is in brackets and may hold anything.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
  const own = (Number(fields[11]) + Number(fields[12])) / TICKS;
  return childrenOf(pid).reduce((sum, child) => sum + cpuSeconds(child), own);
};
