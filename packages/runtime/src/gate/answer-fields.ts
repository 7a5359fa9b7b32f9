import type { Permit } from "@aigw/core";
import { LIMIT_WINDOW_MS } from "@aigw/core/clients";
import { type QuotaStanding, quotaSteps, unitInWords } from "@aigw/core/quotas";
import { secondsUntil } from "../seconds.ts";

const WINDOW_S = LIMIT_WINDOW_MS / 1000;

/** The names of {@link answerFields}. */
export const ANSWER_FIELDS = [
  "X-Client-ID",
  "RateLimit-Policy",
  "RateLimit",
  "X-RateLimit-Limit",
  "X-RateLimit-Remaining",
  "X-RateLimit-Reset",
] as const;

/**
 * The fields of every authenticated answer: who was recognised and where the limit stands
 * (draft-ietf-httpapi-ratelimit-headers; the X- fields for clients from before it, reset in seconds from now), and each
 * of its quotas, in whole ones.
 */
export const answerFields = (clientName: string, permit: Permit, quotas: AnswerQuotas | undefined): string[] => {
  // A lease counts as spent at its end, which is still to come: nobody has to wait for longer than the window.
  const reset = Math.min(WINDOW_S, secondsUntil(permit.resetMs));
  return [
    "X-Client-ID",
    clientName,
    "RateLimit-Policy",
    `"client";q=${permit.limit};w=${WINDOW_S}${quotas === undefined ? "" : policies(quotas)}`,
    "RateLimit",
    `"client";r=${permit.remaining};t=${reset}${quotas === undefined ? "" : standings(quotas)}`,
    "X-RateLimit-Limit",
    String(permit.limit),
    "X-RateLimit-Remaining",
    String(permit.remaining),
    "X-RateLimit-Reset",
    String(reset),
  ];
};

/** Where a client with quotas stands. */
export interface AnswerQuotas {
  readonly standings: readonly QuotaStanding[];
  /** The store's steady milliseconds. */
  readonly now: number;
}

const nameOf = (quota: QuotaStanding): string => `"${unitInWords(quota)}/${quota.per}"`;

const policies = ({ standings }: AnswerQuotas): string =>
  standings
    .map((quota) => {
      const unit = unitInWords(quota);
      const limit = Math.floor(quota.limit / quotaSteps(quota));
      const seconds = Math.round((quota.resetsAt - quota.startedAt) / 1_000);
      return `, ${nameOf(quota)};q=${limit};w=${seconds}${unit === "requests" ? "" : `;qu="${unit}"`}`;
    })
    .join("");

const standings = ({ standings, now }: AnswerQuotas): string =>
  standings
    .map((quota) => {
      const left = Math.floor(quota.left / quotaSteps(quota));
      return `, ${nameOf(quota)};r=${left};t=${secondsUntil(quota.resetsAt - now)}`;
    })
    .join("");
