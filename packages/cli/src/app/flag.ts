import { AigwError, isAigwError } from "@aigw/core/errors";

/** Lets the error of a refused value name the flag or variable that it came from. */
export const naming = <T>(source: string, parse: () => T): T => {
  try {
    return parse();
  } catch (error) {
    if (!isAigwError(error, "invalid_value")) throw error;
    throw new AigwError(error.code, `${source}: ${error.message}`, { cause: error, details: error.details });
  }
};

/** A parser for commander that names its flag. */
export const flag =
  <T>(name: string, parse: (value: string) => T): ((value: string) => T) =>
  (value) =>
    naming(name, () => parse(value));

/** What is wrong with a value, or undefined: for prompts, which ask again. */
export const problemOf = (parse: (value: string) => unknown, value: string): string | undefined => {
  try {
    parse(value);
    return undefined;
  } catch (error) {
    if (isAigwError(error, "invalid_value")) return error.message;
    throw error;
  }
};
