import { Command } from "commander";
import type { Context } from "./context.ts";

/** A command line and what it does. */
export type Example = readonly [line: string, does: string];

/** A command whose help starts with examples. */
export const describe = (name: string, about: string, examples: readonly Example[]): Command => {
  const command = new Command(name).description(about);
  EXAMPLES.set(command, examples);
  const alias = ALIASES[name];
  return alias === undefined ? command : command.alias(alias);
};

const EXAMPLES = new WeakMap<Command, readonly Example[]>();

export const examplesOf = (command: Command): readonly Example[] => EXAMPLES.get(command) ?? [];

/** What hands that are used to a shell type. Help and completion name the verb alone. */
export const ALIASES: Readonly<Record<string, string>> = { list: "ls", remove: "rm" };

/** Whether this word on a command line means this command. */
export const isNamed = (command: Command, word: string): boolean =>
  command.name() === word || command.aliases().includes(word);

/** By name, in the order in which help lists them; loaded on demand. */
export type Verbs = Readonly<Record<string, () => Promise<{ command(ctx: Context): Command }>>>;

export interface Noun {
  readonly name: string;
  readonly about: string;
  readonly examples: readonly Example[];
  readonly verbs: Verbs;
}

/** `aigw client`: its verbs, and help when none is given. Of several verbs only the one on the command line is loaded. */
export const noun = async (
  ctx: Context,
  argv: readonly string[],
  { name, about, examples, verbs }: Noun,
): Promise<Command> => {
  const command = describe(name, about, examples);
  // What follows the noun at once is its verb. Anything else, such as an option, leaves that to the parser.
  const next = argv[argv.indexOf(name) + 1] ?? "";
  const named = Object.entries(verbs).filter(([verb]) => verb === next || ALIASES[verb] === next);
  const wanted = named.length > 0 ? named : Object.entries(verbs);
  const loaded = await Promise.all(wanted.map(([, load]) => load()));
  for (const { command: declare } of loaded) command.addCommand(declare(ctx));
  return command;
};

/** Collects a repeatable option. */
export const collect =
  <T>(parse: (value: string) => T): ((value: string, previous: readonly T[] | undefined) => readonly T[]) =>
  (value, previous) => [...(previous ?? []), parse(value)];
