import type { Finding } from "../findings/finding.ts";
import { COMMAND_NAMES } from "../terminal/command-names.ts";
import { shellQuoted } from "../terminal/output/shell-quoted.ts";
import type { Globals } from "./globals.ts";

type Place = Pick<Globals, "home" | "store">;

/** A command of ours in a sentence: `aigw` and one of its verbs; not one that names a place itself. */
const COMMAND = new RegExp(`\\baigw (?=(?:${COMMAND_NAMES})\\b(?![^;\\n]* --(?:home|store)\\b))`, "g");

/**
 * The same text, in which a command to run next names the home and the store that this one was told of: without them it
 * would look at others. What the environment says holds for the next command by itself.
 */
export const carryFlags = (text: string, { home, store }: Place): string => {
  const flags = [...named("--home", home), ...named("--store", store)].join(" ");
  if (flags === "") return text;
  return text.replace(COMMAND, () => `aigw ${flags} `);
};

const named = (flag: string, value: string | undefined): readonly string[] =>
  value === undefined || value === "" ? [] : [`${flag} ${shellQuoted(value)}`];

/** The same finding, its command and whatever its message names as one. */
export const carried = <F extends Pick<Finding, "message" | "command">>(finding: F, place: Place): F => ({
  ...finding,
  message: carryFlags(finding.message, place),
  ...(finding.command !== undefined && { command: carryFlags(finding.command, place) }),
});
