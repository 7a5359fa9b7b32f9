import type { CommanderError } from "commander";

/**
 * commander's message in our form, without what may be a secret: somebody who types a password where none belongs must
 * not find it in a log.
 */
export const usageMessage = (error: CommanderError): string => {
  const message = error.message.replace(/^error: /, "");
  switch (error.code) {
    case "commander.unknownOption":
      return unknownOption(message);
    case "commander.excessArguments":
      return message.replace(/(but got \d+)[\s\S]*$/, "$1.");
    case "commander.help":
      return "a command is missing. See: aigw --help";
    default:
      return oneLine(message);
  }
};

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
