import { isClientName } from "../clients/parse-client.ts";
import { AigwError } from "../errors.ts";

/** As a client's name: 1 to 64 of `a-z 0-9 . _ -`, starting with a letter or digit; not `none`, which takes one away. */
export const parsePlanName = (value: string): string => {
  if (isClientName(value) && value !== "none") return value;
  throw new AigwError(
    "invalid_value",
    `plan name '${value}' is not valid: use 1 to 64 of a-z, 0-9, '.', '_', '-', starting with a letter or digit; not 'none'.`,
  );
};

/** A whole number from 1 to 100. */
export const parseWeight = (value: string): number => {
  if (/^(?:[1-9][0-9]?|100)$/.test(value)) return Number(value);
  throw new AigwError("invalid_value", `weight '${value}' is not valid: use a whole number from 1 to 100.`);
};
