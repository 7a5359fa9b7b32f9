import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { AigwError } from "@aigw/core/errors";

const MAX_BYTES = 64 * 1024;

/** The text of a file that a flag names. @throws AigwError `invalid_value`, which names the flag and the file */
export const pemIn = (name: string, value: string, cwd: string): string => {
  const path = resolve(cwd, value);
  const refused = (why: string, cause?: unknown): AigwError =>
    new AigwError("invalid_value", `${name}: ${path} cannot be read: ${why}.`, { cause });
  try {
    if (statSync(path).size > MAX_BYTES) throw refused("it has more than 64 KiB");
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof AigwError) throw error;
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const why = { ENOENT: "there is no such file", EACCES: "permission denied", EISDIR: "it is a folder" }[code];
    throw refused(why ?? "the system says no", error);
  }
};
