import { didYouMean } from "@aigw/core/did-you-mean";
import { AigwError } from "@aigw/core/errors";
import { Option } from "commander";
import { flag } from "./flag.ts";

/**
 * An option whose values are known beforehand: completion offers them, and another one is refused by name.
 * @param what a value is called so in the error
 */
export const choiceOption = (flags: string, what: string, about: string, values: readonly string[]): Option => {
  const option = new Option(flags, about).choices(values);
  const allowed = values.length === 2 ? values.join(" or ") : `one of ${values.join(", ")}`;
  return option.argParser(flag(option.long ?? flags, (value) => parseChoice(what, value, values, allowed)));
};

/** The same, and several of them with commas between. */
export const choicesOption = (flags: string, what: string, about: string, values: readonly string[]): Option => {
  const option = new Option(flags, about).choices(values);
  const allowed = `one or more of ${values.join(", ")}`;
  const parse = (value: string): string => parseChoice(what, value, values, allowed);
  return option.argParser(flag(option.long ?? flags, (given) => [...new Set(given.split(","))].map(parse)));
};

const parseChoice = (what: string, value: string, values: readonly string[], allowed: string): string => {
  if (values.includes(value)) return value;
  throw new AigwError("invalid_value", `${what} '${value}' is not valid: use ${allowed}.${didYouMean(value, values)}`);
};
