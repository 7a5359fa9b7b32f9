import type { Argument, Command, Option } from "commander";
import { isNamed } from "../app/command.ts";
import { TOPIC_NAMES } from "../terminal/help/topic-names.ts";
import { type Candidate, startingWith, type Wanted } from "./candidate.ts";
import { SHELLS } from "./scripts.ts";

const TOPIC_CANDIDATES: readonly Candidate[] = TOPIC_NAMES.map((value) => ({ value }));
const NOTHING: Wanted = { kind: "nothing" };

/**
 * Reads the command line as commander will, up to the word being typed.
 * @param words what follows `aigw`; the last one is being typed
 */
export const wantedAt = (program: Command, words: readonly string[]): Wanted => {
  const current = words.at(-1) ?? "";
  let command = program;
  const positionals: string[] = [];
  let open: Option | undefined;
  let onlyPositionals = false;
  for (const word of words.slice(0, -1)) {
    if (open !== undefined) {
      open = undefined;
    } else if (word === "--") {
      onlyPositionals = true;
    } else if (word.startsWith("-") && word !== "-" && !onlyPositionals) {
      const option = optionOf(command, program, word);
      // A value that may be left out is left out: what follows is more likely something else.
      if (option?.required === true && !word.includes("=")) open = option;
    } else {
      const next =
        positionals.length === 0 ? command.commands.find((candidate) => isNamed(candidate, word)) : undefined;
      if (next === undefined) positionals.push(word);
      else command = next;
    }
  }
  if (open !== undefined) return optionValue(open, "", current);
  if (current.startsWith("-") && !onlyPositionals) return optionAt(command, program, current);
  const argument = argumentValue(command, positionals, current);
  if (positionals.length > 0 || command.commands.length === 0) return argument;
  const beside = verbsOf(command).filter(({ value }) => value.startsWith(current));
  return argument.kind === "clients" ? { ...argument, beside } : { kind: "candidates", candidates: beside };
};

const optionAt = (command: Command, program: Command, current: string): Wanted => {
  const equals = current.indexOf("=");
  if (equals === -1) return startingWith(current, optionNames(command, program));
  const option = optionOf(command, program, current.slice(0, equals));
  if (option === undefined || !takesValue(option)) return NOTHING;
  return optionValue(option, current.slice(0, equals + 1), current.slice(equals + 1));
};

const optionsOf = (command: Command, program: Command): readonly Option[] =>
  [...command.options, ...(command === program ? [] : program.options)].filter(({ hidden }) => !hidden);

const optionOf = (command: Command, program: Command, word: string): Option | undefined => {
  const name = word.replace(/=[\s\S]*$/, "");
  return optionsOf(command, program).find(({ long, short }) => long === name || short === name);
};

const takesValue = ({ required, optional }: Option): boolean => required || optional;

const optionNames = (command: Command, program: Command): readonly Candidate[] => [
  ...optionsOf(command, program).map(({ long, short, description }) => ({
    value: long ?? short ?? "",
    about: description,
  })),
  { value: "--help", about: "examples, arguments, options" },
];

const verbsOf = (command: Command): readonly Candidate[] =>
  command.commands.map((verb) => ({ value: verb.name(), about: verb.summary() || verb.description() }));

const optionValue = ({ flags, long, argChoices }: Option, before: string, prefix: string): Wanted => {
  if (argChoices !== undefined) {
    // Where several may be given, what is typed so far holds all but the last.
    const typed = before + prefix.slice(0, prefix.lastIndexOf(",") + 1);
    return startingWith(
      before + prefix,
      argChoices.map((value) => ({ value: typed + value })),
    );
  }
  if (long === "--client") return { kind: "clients", before, prefix };
  if (long === "--subject") return { kind: "subjects", before, prefix };
  if (long === "--service" || long === "--fallback") return { kind: "services", before, prefix };
  if (long === "--plan") return { kind: "plans", before, prefix };
  if (long === "--services" || long === "--add-service" || long === "--remove-service") {
    const comma = prefix.lastIndexOf(",") + 1;
    return { kind: "services", before: before + prefix.slice(0, comma), prefix: prefix.slice(comma) };
  }
  // The shell completes files of a whole word only.
  if (/<(file|dir|folder|path)>/i.test(flags)) return before === "" ? { kind: "files" } : NOTHING;
  return NOTHING;
};

/** @param before the arguments that stand before it */
const argumentValue = (command: Command, before: readonly string[], prefix: string): Wanted => {
  const argument = argumentAt(command, before.length);
  if (argument === undefined) return NOTHING;
  if (argument.argChoices !== undefined) {
    return startingWith(
      prefix,
      argument.argChoices.map((value) => ({ value })),
    );
  }
  const noun = command.parent?.parent ? command.parent.name() : command.name();
  switch (argument.name()) {
    case "file":
      return { kind: "files" };
    case "shell":
      return startingWith(
        prefix,
        SHELLS.map((value) => ({ value })),
      );
    case "key":
      return { kind: "settings", prefix };
    case "value":
      return { kind: "values", key: before[0] ?? "", prefix };
    case "words":
      // `aigw help`: a command, then a verb of it, which is not loaded here.
      return startingWith(
        prefix,
        before.length === 0 ? [...verbsOf(command.parent ?? command), ...TOPIC_CANDIDATES] : [],
      );
    case "service":
      return { kind: "services", before: "", prefix };
    case "name":
      // A new name is nobody's yet.
      if (command.name() === "add") return NOTHING;
      return { kind: noun === "service" ? "services" : noun === "plan" ? "plans" : "clients", before: "", prefix };
    default:
      return NOTHING;
  }
};

const argumentAt = ({ registeredArguments }: Command, index: number): Argument | undefined => {
  const last = registeredArguments.at(-1);
  return registeredArguments[index] ?? (last?.variadic ? last : undefined);
};
