import type { Permit } from "@aigw/core";
import { LIMIT_WINDOW_MS } from "@aigw/core/clients";
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
 * (draft-ietf-httpapi-ratelimit-headers; the X- fields for clients from before it, reset in seconds from now).
 */
export const answerFields = (clientName: string, permit: Permit): string[] => {
  // A lease counts as spent at its end, which is still to come: nobody has to wait for longer than the window.
  const reset = Math.min(WINDOW_S, secondsUntil(permit.resetMs));
  return [
    "X-Client-ID",
    clientName,
    "RateLimit-Policy",
    `"client";q=${permit.limit};w=${WINDOW_S}`,
    "RateLimit",
    `"client";r=${permit.remaining};t=${reset}`,
    "X-RateLimit-Limit",
    String(permit.limit),
    "X-RateLimit-Remaining",
    String(permit.remaining),
    "X-RateLimit-Reset",
    String(reset),
  ];
};
