import type { HelpConfiguration, Option } from "commander";
import { formatDuration } from "./output/time.ts";

/** How help differs from commander's: arguments as they are used, defaults as they are typed. */
export const HELP_LAYOUT: HelpConfiguration = {
  showGlobalOptions: true,
  subcommandTerm: (command) =>
    [command.name(), ...command.registeredArguments.map((argument) => `<${argument.name()}>`)].join(" "),
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
