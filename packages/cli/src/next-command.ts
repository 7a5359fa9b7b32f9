import { resolve } from "node:path";
import type { Context } from "./context.ts";
import { quoted } from "./doctor/finding.ts";

/**
 * A command to run next, with the flags that say where the data is.
 * @param words what follows `aigw`, such as `usage tail -f`
 */
export const nextCommand = ({ globals, io }: Pick<Context, "globals" | "io">, words: string): string => {
  const flags = [
    ...(globals.home ? ["--home", resolve(io.cwd, globals.home)] : []),
    ...(globals.store ? ["--store", globals.store] : []),
  ];
  return ["aigw", words, ...flags.map((word) => (/^[\w@%+:,./-]+$/.test(word) ? word : quoted(word)))].join(" ");
};
