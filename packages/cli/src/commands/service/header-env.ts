import type { HeaderInput } from "@aigw/core";
import { AigwError } from "@aigw/core/errors";
import type { Io } from "../../terminal/io.ts";

/**
 * `X-Api-Key=OCR_KEY`: the header's value is that of the environment variable OCR_KEY. What stands where the variable's
 * name belongs is not repeated in an error: it may be the key itself.
 */
export const parseHeaderEnv = (value: string, env: Io["env"]): HeaderInput => {
  const [name, variable] = split(value);
  if (name === undefined || variable === undefined) {
    throw refused("use the header's name, '=' and the name of an environment variable, such as 'X-Api-Key=OCR_KEY'");
  }
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(variable)) {
    throw refused(
      `what follows '${name}=' is not the name of an environment variable; put the value into one and give its name, such as '${name}=OCR_KEY'`,
    );
  }
  const secret = env[variable];
  if (secret !== undefined && secret !== "") return { name, value: secret };
  throw refused(
    `the environment variable named after '${name}=' is ${secret === undefined ? "not set" : "empty"}; export it first`,
  );
};

const split = (value: string): readonly [string?, string?] => {
  const at = value.indexOf("=");
  const isName = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/.test(value.slice(0, at));
  return at > 0 && isName && at < value.length - 1 ? [value.slice(0, at), value.slice(at + 1)] : [];
};

const refused = (why: string): AigwError => new AigwError("invalid_value", `--header-env: ${why}.`);
