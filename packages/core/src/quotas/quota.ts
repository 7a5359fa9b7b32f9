import { AigwError } from "../errors.ts";
import { BUILT_IN_UNITS, MAX_UNITS, parseUnit } from "../meters/unit.ts";
import { amountInWords, MAX_AMOUNT, parseAmount, stepsOf } from "./amount.ts";

/** Periods of the calendar; a week starts on Monday. */
export const QUOTA_PERIODS = ["hour", "day", "week", "month"] as const;

export type QuotaPeriod = (typeof QUOTA_PERIODS)[number];

/** How much of a unit, or of several together, a client may use in each period of the calendar. */
export interface Quota {
  /** As they were given, each once: units of one measure (stepsOf), `requests` and `cost` alone. */
  readonly units: readonly string[];
  /** In steps of their counters, 1 to MAX_AMOUNT: `requests` and bytes whole, others and cost in millionths. */
  readonly limit: number;
  readonly per: QuotaPeriod;
}

/** Each is a policy in the answer's fields. */
export const MAX_QUOTAS = 8;

const MAX_TEXT = 1_024;
const FORMS = "name a unit, how much and the period, such as requests=10000/day or input_tokens+output_tokens=2M/month";
const ALONE: readonly string[] = ["requests", "cost"];

const invalid = (what: string, why: string): AigwError =>
  new AigwError("invalid_value", `${what} is not valid: ${why}.`);

/**
 * `requests=10000/day, input_tokens+output_tokens=2M/month, pages=500/week, cost=20/month`; `none` is no quota.
 * @throws AigwError `invalid_value` that names the part that is wrong and what is allowed there
 */
export const parseQuotas = (value: string): readonly Quota[] => {
  const text = value.trim();
  if (text === "none") return [];
  if (text === "") throw invalid("an empty quota", `${FORMS}, or none`);
  if (text.length > MAX_TEXT) throw invalid("the quota", `it is longer than ${MAX_TEXT} characters`);
  const quotas: Quota[] = [];
  for (const raw of text.split(",")) {
    const part = raw.trim();
    if (part === "none") throw invalid("quota 'none'", "it takes every quota away, and must stand alone");
    const quota = parseQuota(part);
    if (quotas.some((known) => isSameQuota(known, quota)))
      throw invalid(`quota '${part}'`, `there are two for ${unitInWords(quota)} a ${quota.per}`);
    quotas.push(quota);
  }
  if (quotas.length <= MAX_QUOTAS) return quotas;
  throw invalid("the quota", `it has ${quotas.length} parts, more than the ${MAX_QUOTAS} of a client`);
};

const parseQuota = (part: string): Quota => {
  const match = /^([^=]*)=([^=/]*)\/([^=/]*)$/.exec(part);
  if (match === null) throw invalid(`quota '${part}'`, FORMS);
  const [, names = "", amount = "", period = ""] = match;
  const units = parseUnits(names);
  const per = QUOTA_PERIODS.find((known) => known === period.trim());
  if (per === undefined) throw invalid(`quota '${part}'`, `a period is one of ${QUOTA_PERIODS.join(", ")}`);
  const steps = stepsOf(units[0] ?? "");
  const limit = parseAmount(amount.trim(), steps);
  if (limit === undefined) {
    const most = amountInWords(MAX_AMOUNT, steps);
    const what = steps === 1 ? "a whole number" : "a number with up to six decimals";
    throw invalid(`quota '${part}'`, `use ${what} above 0, with K, M, G or T if you like, up to ${most}`);
  }
  return { units, limit, per };
};

/**
 * `pages`, or several whose sum counts: `input_tokens+output_tokens`.
 * @throws AigwError `invalid_value`
 */
export const parseUnits = (value: string): readonly string[] => {
  const units = value.split("+").map((name) => parseUnit(name.trim()));
  const twice = units.find((unit, i) => units.indexOf(unit) < i);
  if (twice !== undefined) throw invalid(`'${value}'`, `${twice} is there twice`);
  if (units.length > MAX_UNITS) throw invalid(`'${value}'`, `it adds up more than ${MAX_UNITS} units`);
  const alone = units.length > 1 ? units.find((unit) => ALONE.includes(unit)) : undefined;
  if (alone !== undefined) throw invalid(`'${value}'`, `${alone} stands alone, and is not added to others`);
  if (units.some((unit) => stepsOf(unit) !== stepsOf(units[0] ?? "")))
    throw invalid(
      `'${value}'`,
      `${BUILT_IN_UNITS.filter((unit) => unit.startsWith("bytes")).join(" and ")} are added to each other alone`,
    );
  return units;
};

/** For the same units, in whatever order, and the same period: of one client only one of them can hold. */
const isSameQuota = (one: Quota, other: Quota): boolean => one.per === other.per && isSameSum(one.units, other.units);

/** Whether both add up the same units, in whatever order. */
export const isSameSum = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((unit) => other.includes(unit));

/** Its units as they were given: `input_tokens+output_tokens`. */
export const unitInWords = ({ units }: Pick<Quota, "units">): string => units.join("+");

/** How many steps of the counters one of its units is. */
export const quotaSteps = ({ units }: Pick<Quota, "units">): number => stepsOf(units[0] ?? "");

/** `input_tokens+output_tokens=2M/month`. */
export const quotaInWords = (quota: Quota): string =>
  `${unitInWords(quota)}=${amountInWords(quota.limit, quotaSteps(quota))}/${quota.per}`;

/** As {@link parseQuotas} reads them, in their shortest form; the text that is stored. */
export const quotasInWords = (quotas: readonly Quota[]): string =>
  quotas.length === 0 ? "none" : quotas.map(quotaInWords).join(", ");
