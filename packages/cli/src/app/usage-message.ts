import type { CommanderError } from "commander";
import { ALIASES } from "./command.ts";

/**
 * commander's message in our form, without what may be a secret: somebody who types a password where none belongs must
 * not find it in a log.
 */
export const usageMessage = (error: CommanderError): string => {
  const message = error.message.replace(/^error: /, "");
  switch (error.code) {
    case "commander.unknownOption":
      return unknownOption(message);
    case "commander.unknownCommand":
      return unknownCommand(message);
    case "commander.excessArguments":
      return message.replace(/(but got \d+)[\s\S]*$/, "$1.");
    case "commander.help":
      return "a command is missing. See: aigw --help";
    default:
      return oneLine(message);
  }
};

/** Aliases are for those who know them. */
const unknownCommand = (message: string): string => {
  const [, before = "", names = ""] = /^([\s\S]*)\n\(Did you mean (?:one of )?([\s\S]*)\?\)$/.exec(message) ?? [];
  if (names === "") return oneLine(message);
  const known = [...new Set(names.split(", ").map((name) => VERBS.get(name) ?? name))];
  return `${oneLine(before)} (Did you mean ${known.length > 1 ? "one of " : ""}${known.join(", ")}?)`;
};

const VERBS: ReadonlyMap<string, string> = new Map(Object.entries(ALIASES).map(([verb, alias]) => [alias, verb]));

const unknownOption = (message: string): string => {
  const [, given = "", suggestion = ""] =
    /^unknown option '([\s\S]*?)'(\n\(Did you mean [^\n]*\))?$/.exec(message) ?? [];
  const name = given.startsWith("--") ? given.replace(/=[\s\S]*$/, "") : given.slice(0, 2);
  const advice = /^--?p(ass|wd|w\b)/i.test(name)
    ? ". A password comes in on standard input: --password-stdin"
    : oneLine(suggestion);
  return `unknown option '${name}'${advice}`;
};

const oneLine = (text: string): string => text.replace(/\s*\n\s*/g, " ");
