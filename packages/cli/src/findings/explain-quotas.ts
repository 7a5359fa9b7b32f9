import type { ClientFacts } from "@aigw/core";
import { amountInWords, type QuotaStanding, quotaInWords, quotaSteps, unitInWords } from "@aigw/core/quotas";
import { counted } from "../terminal/output/words.ts";
import type { ClientFinding } from "./explain-client.ts";
import type { When } from "./finding.ts";

/** Of what a quota allows in its period. */
export const NEAR_QUOTA = 0.8;

export const isUsedUp = ({ used, limit }: QuotaStanding): boolean => used >= limit;

/** `pages=500/week is used up: 502 of 500 used, starts anew in 3 d`. */
export const standingInWords = (standing: QuotaStanding, when: When): string => {
  const words = (amount: number): string => amountInWords(amount, quotaSteps(standing));
  const { used, limit, resetsAt } = standing;
  const what = isUsedUp(standing) ? "is used up" : `is used to ${Math.floor((used / limit) * 100)} %`;
  return `${quotaInWords(standing)} ${what}: ${words(used)} of ${words(limit)}; it starts anew ${when(resetsAt)}`;
};

const DAYS: Readonly<Record<QuotaStanding["per"], string>> = { hour: "1d", day: "1d", week: "7d", month: "31d" };

/** The command that gives as much again for a while. */
export const moreOf = (client: string, standing: QuotaStanding): string =>
  `aigw client grant ${client} ${unitInWords(standing)}=+${amountInWords(standing.limit, quotaSteps(standing))} --until ${DAYS[standing.per]}`;

/** Of the calls of the last 15 minutes: how many a quota refused. */
export const overQuota = ({ refused }: Pick<ClientFacts, "refused">): number =>
  refused.reduce((sum, { reason, calls }) => (reason === "quota_exceeded" ? sum + calls : sum), 0);

export const explainQuotas = (facts: ClientFacts, when: When): readonly ClientFinding[] => {
  const usedUp = facts.quotas.filter(isUsedUp);
  const { name } = facts.client;
  const refused = facts.refused.filter(({ reason }) => reason === "quota_exceeded");
  if (usedUp.length > 0) {
    return usedUp.map((standing) => ({
      code: "quota_used_up",
      severity: "blocked",
      message: `${name}'s quota ${standingInWords(standing, when)}. Until then calls that count in it get 429.`,
      command: moreOf(name, standing),
    }));
  }
  if (refused.length === 0) return [];
  const lastAt = Math.max(...refused.map((calls) => calls.lastAt));
  const message = `${counted(overQuota(facts), "call")} in the last 15 minutes got 429 for a quota, the latest ${when(lastAt)}: what was left was used up then, or set aside for calls under way.`;
  return [{ code: "quota_limited_lately", severity: "warning", message, command: `aigw client quota ${name}` }];
};
