import type { HomeExamination } from "@aigw/core";
import { rfc3339 } from "../../terminal/output/time.ts";
import type { Found } from "../finding.ts";

const about = "clock";
const command = "timedatectl set-ntp true";
/** This code did not exist before. */
const EARLIEST = Date.UTC(2026, 9, 21);
/** Signed tokens live an hour and dates of expiry some years: a clock beyond is wrong, not early. */
const LATEST = Date.UTC(2100, 0, 1);
/** Two machines' clocks, or one that was corrected, may differ so much. */
const TOLERATED_MS = 60_000;

/** @param lastChangeAt when the newest change was made, by the clock of that moment; milliseconds since the epoch */
export const judgeClock = (now: number, lastChangeAt: number | undefined): Found => {
  if (now < EARLIEST || now > LATEST) {
    return { code: "clock_implausible", about, message: `The clock says ${rfc3339(now)}, which cannot be.`, command };
  }
  if (lastChangeAt !== undefined && now < lastChangeAt - TOLERATED_MS) {
    return {
      code: "clock_implausible",
      about,
      message: `The clock says ${rfc3339(now)}, but the newest change was made at ${rfc3339(lastChangeAt)}.`,
      command,
    };
  }
  return { code: "clock_plausible", about, message: rfc3339(now) };
};

export const checkClock = async ({ store }: HomeExamination, now: number): Promise<readonly Found[]> => {
  const [newest] = (await store?.control.latestChanges({ limit: 1 })) ?? [];
  return [judgeClock(now, newest?.at)];
};
