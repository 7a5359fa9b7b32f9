import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The home folder's absolute path: the flag, `AIGW_HOME`, `$XDG_DATA_HOME/aigw`, `~/.local/share/aigw`. Empty values
 * count as absent, and so does a relative XDG_DATA_HOME (XDG Base Directory Specification).
 */
export const resolveHome = (env: Environment, flag?: string): string => {
  const named = flag || env["AIGW_HOME"];
  if (named) return resolve(named);
  const data = env["XDG_DATA_HOME"];
  if (data && isAbsolute(data)) return join(data, "aigw");
  return join(env["HOME"] || homedir(), ".local", "share", "aigw");
};
