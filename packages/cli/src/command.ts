import { Command } from "commander";

/** A command line and what it does. */
export type Example = readonly [line: string, does: string];

/** A command whose help starts with examples. */
export const describe = (name: string, about: string, examples: readonly Example[]): Command => {
  const width = Math.max(...examples.map(([line]) => line.length));
  const lines = examples.map(([line, does]) =>
    line.length > 60 || width > 60 ? `  ${line}\n      ${does}` : `  ${line.padEnd(width)}   ${does}`,
  );
  return new Command(name).description(about).addHelpText("before", `Examples:\n${lines.join("\n")}\n`);
};

/** `aigw client`: its verbs, and help when none is given. */
export const noun = (name: string, about: string, examples: readonly Example[], verbs: readonly Command[]): Command => {
  const command = describe(name, about, examples);
  for (const verb of verbs) command.addCommand(verb);
  return command;
};

/** Collects a repeatable option. */
export const collect =
  <T>(parse: (value: string) => T): ((value: string, previous: readonly T[] | undefined) => readonly T[]) =>
  (value, previous) => [...(previous ?? []), parse(value)];
