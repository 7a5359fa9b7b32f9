/**
 * The semi-spaces of V8's young generation, MiB; it takes up to three times that. Left alone it grows to 16 under load,
 * which saves no time and leaves 20 MB more resident; with 4 what waits to be stored is taken for old (decision 085).
 */
const YOUNG = "--max-semi-space-size";
/**
 * The most that the old generation may take, MiB. With 2,048 and more V8 lets it grow to four times what lives in it
 * before it looks for what does not, with less to twice that; a gateway needs a tenth (decision 106).
 */
const OLD = "--max-old-space-size";
const OLD_MIB = 2_000;
/** Where the machine or the container is small, Node's own bound is lower, and stays. */
const mayGrowBeyond =
  (process.getBuiltinModule("node:v8")?.getHeapStatistics().heap_size_limit ?? 0) > OLD_MIB * 2 ** 20;
/** Lets the gateway give back what loading its clients took; it is collected once, before anybody calls. */
const COLLECT = "--expose-gc";
/** What a gateway's process and its workers run with. */
export const SMALL_HEAP: readonly string[] = [`${YOUNG}=8`, ...(mayGrowBeyond ? [`${OLD}=${OLD_MIB}`] : []), COLLECT];

/**
 * Starts this process anew with these options, which only a command line can set: the same process id, arguments and
 * environment, 30 ms later. To be called before anything was opened. Does nothing where somebody has set the size
 * already, where somebody looks into the process, or where none can be replaced: then the gateway takes more memory, and
 * all else is the same.
 */
export const keepHeapSmall = (): void => {
  const given = `${process.execArgv} ${process.env["NODE_OPTIONS"]}`.replaceAll("_", "-");
  const isLookedInto = process.getBuiltinModule("node:inspector")?.url() !== undefined;
  // A parent's channel does not survive it.
  const isBound = process.platform === "win32" || process.execve === undefined || process.channel !== undefined;
  if (given.includes(YOUNG) || isLookedInto || isBound) return;
  // Whoever has bounded the old generation in whatever way knows why.
  const ours = SMALL_HEAP.filter((option) => !option.startsWith(OLD) || !given.includes(OLD));
  const options = [...ours, ...process.execArgv];
  process.execve?.(process.execPath, [process.argv0, ...options, ...process.argv.slice(1)]);
};
