import type { Command, Help, HelpConfiguration, Option } from "commander";
import { examplesOf } from "../app/command.ts";
import { documentation } from "./help/documentation.ts";
import { TOPIC_NAMES } from "./help/topic-names.ts";
import { formatDuration } from "./output/time.ts";
import { displayWidth, padEnd } from "./output/width.ts";
import { wrap } from "./output/wrap.ts";

/** How help differs from commander's: examples first, options in their groups, everything as wide as the terminal. */
export const HELP_LAYOUT: HelpConfiguration = {
  // Top-level commands that the command line does not name are not loaded, so their arguments are not known there.
  subcommandTerm: (command) => {
    const known = command.parent?.parent ? command.registeredArguments : [];
    return [command.name(), ...known.map((argument) => `<${argument.name()}>${argument.variadic ? "…" : ""}`)].join(
      " ",
    );
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
  formatHelp: (command, helper) => {
    const width = helper.helpWidth ?? 80;
    const parts = [
      exampleLines(command, width),
      hanging(`Usage: ${helper.commandUsage(command)}`, width),
      wrap(helper.commandDescription(command), width),
      ...listsOf(command, helper).map(([heading, items], _, lists) => [
        heading,
        ...columns(
          items,
          width,
          WIDEST_TERM,
          2,
          lists.flatMap(([, all]) => all),
        ),
      ]),
      footer(command, width),
    ];
    return parts
      .filter((lines) => lines.length > 0)
      .map((lines) => `${lines.join("\n")}\n`)
      .join("\n");
  },
};

type Item = readonly [term: string, about: string];

const shownDefault = ({ flags, defaultValue }: Option): string | undefined => {
  const value: unknown = defaultValue;
  if (typeof value === "number") return flags.includes("<duration>") ? formatDuration(value) : String(value);
  if (Array.isArray(value)) return value.join(",");
  return typeof value === "string" ? value : undefined;
};

/** Of the width: beside a longer line there is no room to say what it does, and that stands below it. */
const WIDEST_EXAMPLE = 0.58;

const exampleLines = (command: Command, width: number): readonly string[] => {
  const examples = examplesOf(command);
  return examples.length === 0 ? [] : ["Examples:", ...columns(examples, width, WIDEST_EXAMPLE, 3)];
};

/** Arguments, groups of options, commands. */
const listsOf = (command: Command, helper: Help): readonly (readonly [heading: string, items: readonly Item[]])[] => {
  const groups = Map.groupBy(shownOptions(command, helper), (option) => option.helpGroupHeading ?? "Options:");
  const item = (option: Option): Item => [helper.optionTerm(option), helper.optionDescription(option)];
  const commands = Map.groupBy(helper.visibleCommands(command), (one) => one.helpGroup() || "Commands:");
  const commandItem = (one: Command): Item => [helper.subcommandTerm(one), helper.subcommandDescription(one)];
  const arguments_ = helper.visibleArguments(command);
  const optionLists = [...groups].map(([heading, options]) => [heading, options.map(item)] as const);
  const commandLists = [...commands].map(([heading, some]) => [heading, some.map(commandItem)] as const);
  const argumentItems = arguments_.map((one): Item => [helper.argumentTerm(one), helper.argumentDescription(one)]);
  // Of the program itself the commands are what one looks for.
  const lists =
    command.parent === null
      ? [...commandLists, ...optionLists]
      : [["Arguments:", argumentItems] as const, ...optionLists, ...commandLists];
  return lists.filter(([, items]) => items.length > 0);
};

/** What every command takes is in the last lines, and in full where there is no command. */
const shownOptions = (command: Command, helper: Help): readonly Option[] =>
  helper.visibleOptions(command).filter((option) => command.parent === null || option.long !== "--help");

/** Of the width. */
const WIDEST_TERM = 0.42;

/**
 * In two columns, one of them for all lists alike.
 * @param most the widest share of the first one; what is longer has a line of its own
 */
const columns = (
  items: readonly Item[],
  width: number,
  most: number,
  gap: number,
  all: readonly Item[] = items,
): readonly string[] => {
  const widths = all.map(([term]) => displayWidth(term)).filter((one) => one <= width * most);
  const column = Math.max(6, ...widths) + 2 + gap;
  return items.flatMap(([term, about]) =>
    displayWidth(term) + 2 + gap <= column
      ? beside(`  ${term}`, about, column, width)
      : // Never wrapped: an example is there to be copied.
        [`  ${term}`, ...indented(about, all === items ? 6 : column, width)],
  );
};

const beside = (head: string, text: string, column: number, width: number): readonly string[] => {
  const [first = "", ...rest] = indented(text, column, width);
  return [`${padEnd(head, column)}${first.trimStart()}`.trimEnd(), ...rest];
};

const indented = (text: string, column: number, width: number): readonly string[] =>
  text === "" ? [] : wrap(text, width - column).map((line) => " ".repeat(column) + line);

const footer = (command: Command, width: number): readonly string[] => {
  let root = command;
  while (root.parent !== null) root = root.parent;
  const globals = root.options.filter(({ long }) => long !== "--version").map(({ long, short }) => short ?? long);
  const lines = [
    ...(command === root ? [] : [`Global options: ${globals.join(", ")}, -h; in full: aigw --help`]),
    `Topics: ${TOPIC_NAMES.join(", ")}; to read one: aigw help <topic>`,
    `Documentation: ${documentation(wordsOf(command, root))}`,
  ];
  return lines.flatMap((line) => hanging(line, width));
};

const hanging = (text: string, width: number): readonly string[] =>
  wrap(text, width - 2).map((line, index) => (index === 0 ? line : `  ${line}`));

const wordsOf = (command: Command, root: Command): readonly string[] => {
  const words: string[] = [];
  for (let at: Command | null = command; at !== null && at !== root; at = at.parent) words.unshift(at.name());
  return words;
};
