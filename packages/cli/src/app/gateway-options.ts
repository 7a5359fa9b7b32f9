/**
 * The semi-spaces of V8's young generation, MiB; it takes up to three times that. Left alone it grows to 16 under load,
 * which saves no time and leaves 20 MB more resident; with 4 what waits to be stored is taken for old (decision 085).
 */
const YOUNG = "--max-semi-space-size=8";
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
/**
 * A listener alone is too late for a SIGUSR1 that came before it: on a busy machine Node was seen to open its inspector
 * a second time behind whoever had closed it (decision 037).
 */
const NO_INSPECTOR = "--disable-sigusr1";
/** What a gateway's process and its workers run with. */
export const GATEWAY_OPTIONS: readonly string[] = [
  YOUNG,
  ...(mayGrowBeyond ? [`${OLD}=${OLD_MIB}`] : []),
  COLLECT,
  NO_INSPECTOR,
];

/**
 * Starts this process anew with these options, which only a command line can set: the same process id, arguments and
 * environment, 30 ms later. To be called before anything was opened. Does nothing where all are set already, where an
 * inspector was asked for, or where no process can be replaced: then the gateway takes more memory, a signal before its
 * first line may open the inspector, and all else is the same. What somebody has set stays as it is.
 */
export const startWithOptions = (): void => {
  const given = `${process.execArgv} ${process.env["NODE_OPTIONS"]}`.replaceAll("_", "-");
  // A parent's channel does not survive it.
  const isBound = process.platform === "win32" || process.execve === undefined || process.channel !== undefined;
  const missing = GATEWAY_OPTIONS.filter((option) => !given.includes(option.split("=")[0] ?? option));
  if (missing.length === 0 || given.includes("--inspect") || isBound) return;
  const options = [...missing, ...process.execArgv];
  process.execve?.(process.execPath, [process.argv0, ...options, ...process.argv.slice(1)]);
};
