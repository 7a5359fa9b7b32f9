import type { Grant } from "../clients/client.ts";
import { AigwError } from "../errors.ts";
import { MILLION } from "../meters/unit.ts";
import { amountInWords, parseAmount } from "./amount.ts";
import { parseUnits, quotaSteps } from "./quota.ts";

/** What of a grant says how much more may be used. */
export type GrantedAmount = Pick<Grant, "unit" | "value">;

/**
 * `pages=+500`, `input_tokens+output_tokens=+2M`.
 * @throws AigwError `invalid_value`
 */
export const parseGrant = (value: string): GrantedAmount => {
  const equals = value.indexOf("=");
  const units = equals <= 0 ? undefined : parseUnits(value.slice(0, equals).trim());
  const steps = quotaSteps({ units: units ?? [] });
  const text = value.slice(equals + 1).trim();
  const amount = units && parseAmount(text.startsWith("+") ? text.slice(1) : text, steps);
  if (units !== undefined && amount !== undefined) return { unit: units.join("+"), value: amount * (MILLION / steps) };
  throw new AigwError(
    "invalid_value",
    `grant '${value}' is not valid: name the unit of a quota and how much more of it, such as pages=+500 or input_tokens+output_tokens=+2M.`,
  );
};

/** What it adds, in steps of the unit's counter. */
export const grantedSteps = ({ unit, value }: GrantedAmount): number =>
  Math.round(value / (MILLION / quotaSteps({ units: unit.split("+") })));

/** `pages=+500`, as {@link parseGrant} reads it. */
export const grantInWords = (grant: GrantedAmount): string =>
  `${grant.unit}=+${amountInWords(grantedSteps(grant), quotaSteps({ units: grant.unit.split("+") }))}`;
