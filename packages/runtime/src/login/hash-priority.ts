import { readdirSync, readFileSync } from "node:fs";
import { setPriority } from "node:os";

/** A tenth of a core that both want: calls hardly notice a hash, and logins go on while calls take all there is. */
const NICE = 10;
const POOL_THREAD = "libuv-worker";

/**
 * Lets the threads that hash passwords (and look up names) stand back behind the one that serves calls, where they share
 * a core. Best effort, and on Linux only, where a thread has a priority of its own.
 */
export const standBackForCalls = (): void => {
  if (process.platform !== "linux") return;
  try {
    for (const thread of readdirSync("/proc/self/task")) {
      const name = readFileSync(`/proc/self/task/${thread}/comm`, "utf8").trim();
      if (name === POOL_THREAD) setPriority(Number(thread), NICE);
    }
  } catch {
    // A thread that has ended meanwhile, or a system without /proc: hashing works all the same.
  }
};
