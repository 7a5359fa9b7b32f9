import {
  amountAsNumber,
  amountInWords,
  type QuotaVerdict,
  quotaInWords,
  quotaSteps,
  unitInWords,
} from "@aigw/core/quotas";
import type { Problem } from "../http-errors.ts";
import { secondsUntil } from "../seconds.ts";

/** What is set aside for calls under way may be free again when they end. */
const CALLS_END_S = 5;

/** What a client is told whose quota does not let a call in. */
export interface QuotaProblem {
  readonly problem: Pick<Problem, "detail" | "quota">;
  /** Seconds. */
  readonly retryAfter: number;
}

/** @param now the store's steady milliseconds */
export const quotaProblem = (
  { by, need, hopeless }: Extract<QuotaVerdict, { claim: undefined }>,
  now: number,
): QuotaProblem => {
  const steps = quotaSteps(by);
  const resetsAt = new Date(by.resetsAt).toISOString().replace(".000Z", "Z");
  const untilReset = secondsUntil(by.resetsAt - now);
  const words = (amount: number): string => amountInWords(amount, steps);
  const quota = `The quota ${quotaInWords(by)}`;
  const counted = `${words(by.used)} of ${words(by.limit)} used`;
  return {
    problem: {
      detail: hopeless
        ? `${quota} is used up (${counted}): it starts anew at ${resetsAt}.`
        : `${quota} has ${words(by.left)} left (${counted}, ${words(by.reserved)} set aside for calls under way), and this call may use ${words(need)}: try again when they have ended. It starts anew at ${resetsAt}.`,
      quota: {
        unit: unitInWords(by),
        per: by.per,
        limit: amountAsNumber(by.limit, steps),
        used: amountAsNumber(by.used, steps),
        resetsAt,
      },
    },
    retryAfter: hopeless ? untilReset : Math.min(CALLS_END_S, untilReset),
  };
};
