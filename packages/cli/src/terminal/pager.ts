import type { Io } from "./io.ts";

/**
 * Shows a long text page by page, where somebody sits at a terminal that it does not fit on: with `PAGER`, else less.
 * @returns false when it is to be written as it is
 */
export const paged = async ({ stdin, stdout, env, handOver }: Io, text: string): Promise<boolean> => {
  const pager = env["PAGER"] ?? "less";
  const isWatched = stdin.isTTY === true && stdout.isTTY === true && env["TERM"] !== "dumb";
  if (handOver === undefined || !isWatched || pager.trim() === "" || pager.trim() === "cat") return false;
  // Of a terminal that does not know how high it is, nobody knows what fits.
  if (!stdout.rows || text.split("\n").length <= stdout.rows) return false;
  // F: what fits after all is just shown. R: colours. X: it stays on the screen afterwards.
  return (await handOver(pager, { input: text, env: { LESS: "FRX", LV: "-c", ...env } })) !== undefined;
};
