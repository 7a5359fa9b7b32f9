import { setFlagsFromString } from "node:v8";

/**
 * Every piece of a body that is passed on becomes garbage, and V8 lets 64 MiB of such buffers gather before it looks for
 * them; with this 8 MiB. The flag's name is about something else: that bound is four times its value in MiB, and what it
 * is named for was settled when the process started, so that small calls are not collected more often.
 */
const BODY_GARBAGE = "--scavenger-max-new-space-capacity-mb=2";
/** The flag is not V8's public interface, and one that it does not know it complains of on stderr. */
const KNOWN_TO = "13.6.";

/** For the whole process. */
export const boundMemory = (): void => {
  if (process.versions.v8.startsWith(KNOWN_TO)) setFlagsFromString(BODY_GARBAGE);
};
