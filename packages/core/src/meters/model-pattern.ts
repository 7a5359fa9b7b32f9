import { AigwError } from "../errors.ts";

/** Bytes of a model's name that are looked at; what a service says beyond is cut. */
export const MAX_MODEL = 128;

/**
 * A model's name, or a pattern in which `*` stands for any characters, none included: 1 to 128 printable ASCII
 * characters without blanks. Case counts.
 * @throws AigwError `invalid_value`
 */
export const parseModelPattern = (value: string): string => {
  if (value.length <= MAX_MODEL && /^[\x21-\x7e]+$/.test(value)) return value.replace(/\*+/g, "*");
  throw new AigwError(
    "invalid_value",
    `model '${value}' is not valid: use a name, or a pattern such as 'llama*', of 1 to ${MAX_MODEL} characters without blanks.`,
  );
};

/** Going back to the last `*` only: time is at most the product of the lengths, whatever a service calls its model. */
export const matches = (pattern: string, model: string): boolean => {
  let at = 0;
  let star = -1;
  let resume = 0;
  for (let i = 0; i < model.length; ) {
    if (pattern[at] === "*") {
      star = at;
      resume = i;
      at += 1;
    } else if (at < pattern.length && pattern[at] === model[i]) {
      at += 1;
      i += 1;
    } else if (star >= 0) {
      at = star + 1;
      resume += 1;
      i = resume;
    } else return false;
  }
  while (pattern[at] === "*") at += 1;
  return at === pattern.length;
};

/**
 * A whole name before any pattern, then the one with more characters beside `*`, then with fewer `*`, then the first by
 * its characters, so that the order does not depend on who was added when. Absent: every model, the least specific.
 */
export const moreSpecific = (one: string | undefined, other: string | undefined): boolean => {
  if (one === undefined || other === undefined) return one !== undefined;
  const [stars, otherStars] = [countStars(one), countStars(other)];
  if ((stars === 0) !== (otherStars === 0)) return stars === 0;
  const difference = one.length - stars - (other.length - otherStars);
  if (difference !== 0) return difference > 0;
  return stars === otherStars ? one < other : stars < otherStars;
};

const countStars = (pattern: string): number => pattern.split("*").length - 1;
