import { AigwError } from "../errors.ts";

/** A label, shown beside costs: 1 to 8 characters without blanks. Nothing is converted. @throws AigwError `invalid_value` */
export const parseCurrency = (value: string): string => {
  if (/^[^\s\p{C},;"'<>&]{1,8}$/u.test(value)) return value;
  throw new AigwError(
    "invalid_value",
    `currency '${value}' is not valid: use 1 to 8 characters without blanks, such as EUR, € or credits.`,
  );
};
