import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { AigwError } from "@aigw/core/errors";
import { humanBytes } from "../terminal/output/figures.ts";

export interface FileInOptions {
  /** What names the file, such as `--ca`; nothing where the caller's caller says it. */
  readonly from?: string;
  /** Relative names are taken from there. */
  readonly cwd: string;
  /** Larger ones are refused unread. */
  readonly maxBytes?: number;
}

/** The content of a file that an admin names. @throws AigwError `invalid_value`: what names it, which file, why, and what to do */
export const fileIn = (file: string, { from, cwd, maxBytes }: FileInOptions): Buffer => {
  const path = resolve(cwd, file);
  const refused = (why: string, cause?: unknown): AigwError =>
    new AigwError("invalid_value", `${from === undefined ? "" : `${from}: `}${path} cannot be read: ${why}`, { cause });
  try {
    if (maxBytes !== undefined && statSync(path).size > maxBytes)
      throw refused(`it has more than ${humanBytes(maxBytes)}. Name a smaller one.`);
    return readFileSync(path);
  } catch (error) {
    if (error instanceof AigwError) throw error;
    throw refused(whyUnreadable(error), error);
  }
};

/** Why a file or a folder cannot be read, and what to do: the end of a sentence, and another one. */
export const whyUnreadable = (error: unknown): string => {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return REASONS[code] ?? `the system says ${code === "" ? "no" : code}. Look at the file, and at its folder.`;
};

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file. Check its name.",
  ENOTDIR: "what stands before its name is no folder. Check its name.",
  EACCES: "permission denied. Let this user read it, or name another one.",
  EPERM: "permission denied. Let this user read it, or name another one.",
  EISDIR: "it is a folder. Name a file in it.",
};
