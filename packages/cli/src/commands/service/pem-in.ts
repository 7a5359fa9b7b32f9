import { fileIn } from "../../app/file-in.ts";

const MAX_BYTES = 64 * 1024;

/** The text of a file that a flag names. @throws AigwError `invalid_value`, which names the flag and the file */
export const pemIn = (name: string, value: string, cwd: string): string =>
  fileIn(value, { from: name, cwd, maxBytes: MAX_BYTES }).toString("utf8");
