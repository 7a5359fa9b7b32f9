import type { HelpConfiguration, Option } from "commander";
import { formatDuration } from "./output/time.ts";

/** How help differs from commander's: arguments as they are used, defaults as they are typed. */
export const HELP_LAYOUT: HelpConfiguration = {
  showGlobalOptions: true,
  // Top-level commands that the command line does not name are not loaded, so their arguments are not known there.
  subcommandTerm: (command) => {
    const known = command.parent?.parent ? command.registeredArguments : [];
    return [command.name(), ...known.map((argument) => `<${argument.name()}>`)].join(" ");
  },
  // commander's own names the aliases too.
  commandUsage: (command) => {
    const names = [command.name()];
    for (let at = command.parent; at !== null; at = at.parent) names.unshift(at.name());
    return `${names.join(" ")} ${command.usage()}`;
  },
  optionDescription: (option) => {
    const shown = shownDefault(option);
    return shown === undefined ? option.description : `${option.description} (default: ${shown})`;
  },
};

const shownDefault = ({ flags, defaultValue }: Option): string | undefined => {
  const value: unknown = defaultValue;
  if (typeof value === "number") return flags.includes("<duration>") ? formatDuration(value) : String(value);
  return typeof value === "string" ? value : undefined;
};
