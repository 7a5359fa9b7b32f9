import { AigwError } from "../errors.ts";
import { type Pointer, parsePointer, pointerInWords } from "../meters/pointer.ts";
import { BUILT_IN_UNITS, MAX_UNITS, parseUnit } from "../meters/unit.ts";
import { amountInWords, parseAmount, stepsOf } from "./amount.ts";

/** What is set aside of a unit when a call is admitted: a number of steps, or what the request says at a place of its JSON. */
export interface Reserve {
  readonly unit: string;
  readonly amount: number | { readonly pointer: Pointer };
}

const FORMS =
  "name a unit and the most that a call may use of it, as a number or as a JSON pointer into the request, such as output_tokens=/max_tokens,pages=1";

const invalid = (what: string, why: string): AigwError =>
  new AigwError("invalid_value", `${what} is not valid: ${why}.`);

/**
 * `output_tokens=/max_tokens,pages=1`; `none` sets nothing aside. Of several for one unit the first that the request has
 * counts: `output_tokens=/max_completion_tokens,output_tokens=/max_tokens,output_tokens=4096`.
 * @throws AigwError `invalid_value` that names the part that is wrong and what is allowed there
 */
export const parseReserves = (value: string): readonly Reserve[] => {
  const text = value.trim();
  if (text === "none") return [];
  if (text === "") throw invalid("an empty reserve", `${FORMS}, or none`);
  const reserves: Reserve[] = [];
  for (const raw of text.split(",")) {
    const part = raw.trim();
    if (part === "none") throw invalid("reserve 'none'", "it sets nothing aside, and must stand alone");
    const reserve = parseReserve(part);
    const earlier = reserves.filter(({ unit }) => unit === reserve.unit);
    if (earlier.some(({ amount }) => typeof amount === "number"))
      throw invalid(`reserve '${part}'`, `a number for ${reserve.unit} comes before it, so it would never count`);
    reserves.push(reserve);
  }
  if (reserves.length <= MAX_UNITS) return reserves;
  throw invalid("the reserve", `it has ${reserves.length} parts, more than the ${MAX_UNITS} of a service`);
};

const parseReserve = (part: string): Reserve => {
  const equals = part.indexOf("=");
  if (equals < 0) throw invalid(`reserve '${part}'`, FORMS);
  const unit = parseUnit(part.slice(0, equals).trim());
  if (BUILT_IN_UNITS.includes(unit))
    throw invalid(`reserve '${part}'`, `${unit} is counted by the gateway itself; nothing is set aside of it`);
  const text = part.slice(equals + 1).trim();
  if (text.startsWith("/") || text.startsWith("#")) return { unit, amount: { pointer: parsePointer(text) } };
  const amount = parseAmount(text, stepsOf(unit));
  if (amount === undefined) throw invalid(`reserve '${part}'`, FORMS);
  return { unit, amount };
};

/** As {@link parseReserves} reads them; the text that is stored. */
export const reservesInWords = (reserves: readonly Reserve[]): string =>
  reserves.length === 0
    ? "none"
    : reserves
        .map(({ unit, amount }) =>
          typeof amount === "number"
            ? `${unit}=${amountInWords(amount, stepsOf(unit))}`
            : `${unit}=${pointerInWords(amount.pointer)}`,
        )
        .join(",");
