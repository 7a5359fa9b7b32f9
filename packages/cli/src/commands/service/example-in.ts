import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { AigwError } from "@aigw/core/errors";
import { MAX_EXAMPLE_BYTES } from "@aigw/core/services";

/**
 * The text itself, or that of a file. One word is a file's name: no example is one.
 * @throws AigwError `invalid_value` when a file cannot be read
 */
export const exampleIn = (value: string, cwd: string): string => {
  if (/\s/.test(value.trim())) return value;
  const path = resolve(cwd, value);
  try {
    if (statSync(path).size > MAX_EXAMPLE_BYTES) return "x".repeat(MAX_EXAMPLE_BYTES + 1);
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    const why = { ENOENT: "there is no such file", EACCES: "permission denied", EISDIR: "it is a folder" }[code];
    throw new AigwError(
      "invalid_value",
      `${path} cannot be read: ${why ?? "it is not UTF-8 text"}. An example is a file, or a text of more than one word.`,
      { cause },
    );
  }
};
