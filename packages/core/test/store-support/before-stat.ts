import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

/** Runs `meanwhile` right before (or after) the `nth` look at a path that `body` takes: what another process could do. */
export const meddleAtStat = async (
  nth: number,
  when: "before" | "after",
  meanwhile: () => void,
  body: () => void | Promise<void>,
): Promise<void> => {
  const real = fs.statSync;
  let looks = 0;
  const meddling = (...args: unknown[]): unknown => {
    looks += 1;
    const mine = looks === nth;
    if (mine && when === "before") meanwhile();
    const found: unknown = Reflect.apply(real, fs, args);
    if (mine && when === "after") meanwhile();
    return found;
  };
  Reflect.set(fs, "statSync", meddling);
  syncBuiltinESMExports();
  try {
    await body();
  } finally {
    Reflect.set(fs, "statSync", real);
    syncBuiltinESMExports();
  }
};
