import { timingSafeEqual } from "node:crypto";
import type { Sealer } from "./sealer.ts";

/**
 * How `aigw onboard` says that a login is its own trial of a client's quick start: the store's time in seconds and an
 * HMAC of it and of the username. Only who holds the master key can make one, so that no client can have its calls taken
 * for a trial's; and it is good for a minute, for whoever sees it on its way. See docs/decisions/046-trials.md.
 */
export const TRIAL_FIELD = "Aigw-Trial";

const GOOD_FOR_S = 60;

/** @param now the store's steady time, milliseconds */
export const trialMark = (sealer: Sealer, storeId: string, username: string, now: number): string => {
  const seconds = Math.floor(now / 1_000);
  return `${seconds}.${macOf(sealer, storeId, username, seconds).toString("base64url")}`;
};

/** @param mark what a login came with @param now the store's steady time, milliseconds */
export const isTrialMark = (sealer: Sealer, storeId: string, username: string, mark: string, now: number): boolean => {
  const [, seconds, mac] = /^([1-9]\d{0,11})\.([A-Za-z0-9_-]{43})$/.exec(mark) ?? [];
  if (seconds === undefined || mac === undefined || Math.abs(now / 1_000 - Number(seconds)) > GOOD_FOR_S) return false;
  return timingSafeEqual(Buffer.from(mac, "base64url"), macOf(sealer, storeId, username, Number(seconds)));
};

/** No username holds a line break. */
const macOf = (sealer: Sealer, storeId: string, username: string, seconds: number): Buffer =>
  Buffer.from(sealer.mac("trial-login", storeId, `${seconds}\n${username}`));
