import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { AigwError } from "../errors.ts";

/** @throws AigwError `already_exists`, or `invalid_value` when there is no folder for it */
export const assertFree = (path: string): void => {
  if (existsSync(path)) throw taken(path);
  if (!existsSync(dirname(path))) {
    throw new AigwError(
      "invalid_value",
      `The folder ${dirname(path)} does not exist. Create it, or name another file.`,
    );
  }
};

export const taken = (path: string): AigwError =>
  new AigwError("already_exists", `${path} exists already. Name a file that does not.`);
