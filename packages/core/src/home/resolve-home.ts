import { userInfo } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { AigwError } from "../errors.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The home folder's absolute path: the flag, `AIGW_HOME`, `$XDG_DATA_HOME/aigw`, `~/.local/share/aigw`. Empty values
 * count as absent, and so do a relative XDG_DATA_HOME (XDG Base Directory Specification) and a relative HOME, with which
 * the home would be another one in every folder.
 * @throws AigwError `invalid_value` when nothing says where it is, as for a container's user without a name
 */
export const resolveHome = (env: Environment, flag?: string): string => {
  const named = flag || env["AIGW_HOME"];
  if (named) return resolve(named);
  const data = env["XDG_DATA_HOME"];
  if (data && isAbsolute(data)) return join(data, "aigw");
  const user = env["HOME"];
  return join(user && isAbsolute(user) ? user : registeredFolder(user), ".local", "share", "aigw");
};

/** The user's folder in the system's list of users. */
const registeredFolder = (named: string | undefined): string => {
  try {
    const { homedir } = userInfo();
    if (isAbsolute(homedir)) return homedir;
  } catch {
    // The user is a number without an entry there.
  }
  const problem = named ? `HOME is '${named}', which is not an absolute path` : "HOME is not set";
  throw new AigwError(
    "invalid_value",
    `Where the data is, is not known: ${problem}, and the system knows no folder of this user's. Name it: --home <dir>, or AIGW_HOME=<dir>`,
  );
};
