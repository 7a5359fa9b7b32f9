import { isAigwError } from "@aigw/core/errors";
import type { Check, Found } from "./finding.ts";
import { storeFix } from "./store-fix.ts";

/** Each check bounds its own waits; this holds if one does not. */
const TIMEOUT_MS = 8_000;

/** All at once. @returns what they found, in the order in which they are given, nothing twice */
export const runChecks = async (
  checks: Readonly<Record<string, Check>>,
  timeoutMs: number = TIMEOUT_MS,
): Promise<readonly Found[]> => {
  const found = await Promise.all(Object.entries(checks).map(([about, check]) => runCheck(about, check, timeoutMs)));
  const seen = new Set<string>();
  return found.flat().filter((finding) => {
    // Several checks may meet the same fault; several gateways may be in the same state.
    const key = `${finding.code} ${finding.message} ${finding.code.startsWith("gateway_") ? finding.about : ""}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
};

const runCheck = async (about: string, check: Check, timeoutMs: number): Promise<readonly Found[]> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<readonly Found[]>((settle) => {
    const message = `It was given up after ${timeoutMs / 1000} s.`;
    timer = setTimeout(() => settle([{ code: "check_unfinished", about, message, command: "aigw doctor" }]), timeoutMs);
  });
  try {
    return await Promise.race([check(), late]);
  } catch (error) {
    if (!isAigwError(error)) throw error;
    if (error.code.startsWith("store_")) {
      return [{ code: "store_broken", about: "store", message: error.message, command: storeFix(error.code) }];
    }
    return [
      { code: "settings_invalid", about, message: error.message, command: "aigw config list; aigw help environment" },
    ];
  } finally {
    clearTimeout(timer);
  }
};
