import { AigwError, isAigwError } from "@aigw/core/errors";
import { systemCodeOf } from "../app/listen-error.ts";
import type { Failure } from "./messages.ts";

export const failureOf = (error: unknown): Failure => {
  if (isAigwError(error)) {
    const { code, message, details } = error;
    return { code, message, details, systemCode: systemCodeOf(error) };
  }
  return { code: undefined, stack: error instanceof Error ? (error.stack ?? error.name) : `thrown: ${typeof error}` };
};

/** The same error in this process. */
export const errorOf = (failure: Failure): Error => {
  if (failure.code === undefined) return Object.assign(new Error("a worker failed"), { stack: failure.stack });
  const { code, message, details, systemCode } = failure;
  const cause = systemCode === undefined ? undefined : Object.assign(new Error(systemCode), { code: systemCode });
  return new AigwError(code, message, { details, cause });
};
