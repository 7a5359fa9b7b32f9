import { setTimeout as delay } from "node:timers/promises";

/**
 * Polls until `check` gives something truthy; fails by name after `timeoutMs`. Every wait in the tests is bounded by it.
 * What takes long is asked less often: many tests that wait at once would keep the machine from what they wait for.
 */
export const until = async <T>(
  what: string,
  check: () => T | Promise<T>,
  timeoutMs = 10_000,
): Promise<Exclude<T, undefined | null | false | 0 | "">> => {
  const started = performance.now();
  for (;;) {
    const asked = performance.now();
    const value = await check();
    if (value) return value as Exclude<T, undefined | null | false | 0 | "">;
    const now = performance.now();
    if (now - started > timeoutMs) throw new Error(`timed out after ${timeoutMs} ms waiting for ${what}`);
    // A check may be a whole command.
    const longest = Math.max(25, Math.min(now - asked, 250));
    await delay(Math.min(5 + (now - started) / 50 + (now - asked), longest));
  }
};

/** Fails by name instead of hanging. */
export const within = async <T>(what: string, promise: Promise<T>, timeoutMs = 10_000): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`timed out after ${timeoutMs} ms waiting for ${what}`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
};
