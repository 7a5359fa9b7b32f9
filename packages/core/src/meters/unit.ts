import { AigwError } from "../errors.ts";

/** Values, prices and costs are integers of this part of one: 1.5 pages are 1,500,000. */
export const MILLION = 1_000_000;

/** The most that one call may be worth in a unit, as the service says it; its millionths are exact. */
export const MAX_VALUE = 1_000_000_000;

/** Units that the meters of one service may declare. */
export const MAX_UNITS = 8;

/** What every call has without a meter; `cost` follows from the units. None of them is a meter's to declare. */
export const BUILT_IN_UNITS: readonly string[] = ["requests", "bytes_in", "bytes_out", "service_seconds"];

/** What calls were worth, by the units' names, in integer millionths; only what was read. */
export type Units = Readonly<Record<string, number>>;

const UNIT = /^[a-z][a-z0-9_]{0,23}$/;

export const isUnitName = (value: string): boolean => UNIT.test(value);

/**
 * A unit's name: 1 to 24 of `a-z 0-9 _`, starting with a letter.
 * @throws AigwError `invalid_value`
 */
export const parseUnit = (value: string): string => {
  if (isUnitName(value)) return value;
  throw new AigwError(
    "invalid_value",
    `unit '${value}' is not valid: use 1 to 24 of a-z, 0-9, '_', starting with a letter, such as pages.`,
  );
};

/**
 * @param value as JSON or a field has it
 * @returns integer millionths, the nearest; undefined for what is no quantity: below 0, above {@link MAX_VALUE}, not finite
 */
export const toMillionths = (value: number): number | undefined => {
  if (!(value >= 0 && value <= MAX_VALUE)) return undefined;
  // A JSON number may be -0.
  return Math.round(value * MILLION) + 0;
};

/** `1500000` → `1.5`: a decimal number without an exponent, exact. */
export const millionthsInWords = (millionths: number): string => {
  const whole = Math.floor(millionths / MILLION);
  const part = millionths % MILLION;
  return part === 0 ? String(whole) : `${whole}.${String(part).padStart(6, "0").replace(/0+$/, "")}`;
};

const DECIMAL = /^([0-9]{1,10})(?:\.([0-9]{1,32}))?$/;

/**
 * What a field of a response says: plain digits with or without a fraction.
 * @returns integer millionths; undefined for anything else
 */
export const decimalToMillionths = (text: string): number | undefined =>
  DECIMAL.test(text) ? toMillionths(Number(text)) : undefined;
