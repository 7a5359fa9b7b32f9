import { amountAsNumber, type QuotaStanding, quotaSteps, unitInWords } from "@aigw/core/quotas";
import { rfc3339 } from "../terminal/output/time.ts";

/** A quota in its present period as scripts see it: amounts as decimal numbers. */
export interface QuotaJson {
  /** As it was given: `input_tokens+output_tokens`. */
  readonly unit: string;
  readonly per: string;
  /** With the grants in force. */
  readonly limit: number;
  readonly used: number;
  /** Set aside for calls under way and to come. */
  readonly reserved: number;
  readonly left: number;
  readonly resetsAt: string;
}

export const quotaJson = (standing: QuotaStanding): QuotaJson => {
  const steps = quotaSteps(standing);
  const amount = (value: number): number => amountAsNumber(value, steps);
  return {
    unit: unitInWords(standing),
    per: standing.per,
    limit: amount(standing.limit),
    used: amount(standing.used),
    reserved: amount(standing.reserved),
    left: amount(standing.left),
    resetsAt: rfc3339(standing.resetsAt),
  };
};
