import { statSync } from "node:fs";
import { resolve } from "node:path";
import { AigwError } from "@aigw/core/errors";
import { MAX_EXAMPLE_BYTES } from "@aigw/core/services";
import { fileIn } from "../../app/file-in.ts";

/**
 * The text itself, or that of a file. One word is a file's name: no example is one.
 * @throws AigwError `invalid_value` when a file cannot be read
 */
export const exampleIn = (value: string, cwd: string): string => {
  if (/\s/.test(value.trim())) return value;
  const path = resolve(cwd, value);
  // Whoever judges the text says how long it may be.
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > MAX_EXAMPLE_BYTES)
    return "x".repeat(MAX_EXAMPLE_BYTES + 1);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(fileIn(path, { cwd }));
  } catch (cause) {
    const why = cause instanceof AigwError ? cause.message : `${path} cannot be read: it is not UTF-8 text.`;
    throw new AigwError("invalid_value", `${why} An example is a file, or a text of more than one word.`, { cause });
  }
};
