import { Interrupted } from "../../app/cli-error.ts";
import { type Applied, awaitApplied } from "../../app/gateways.ts";
import type { Home } from "../../app/home.ts";

/** Whoever does not want to wait any longer still gets the password that is set: the interruption is a value here. */
export const appliedOrStopped = async (
  home: Home,
  rev: number,
  done: string,
  wait: boolean,
): Promise<Applied | Interrupted> => {
  try {
    return await awaitApplied(home, rev, done, wait);
  } catch (error) {
    if (error instanceof Interrupted) return error;
    throw error;
  }
};
