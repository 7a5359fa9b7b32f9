import { AigwError } from "../errors.ts";
import { DEFAULT_KEEP_MS, type JobRules } from "../jobs/job-rules.ts";
import type { Service } from "../services/service.ts";

/** Absent leaves a part as it is. */
export interface JobsPatch {
  /** Whether calls may become jobs at all; switched off, the rest is forgotten. */
  readonly on?: boolean;
  readonly keepMs?: number;
  readonly retry?: boolean;
  /** None: empty. */
  readonly callbackOrigins?: readonly string[];
}

/** @throws AigwError `invalid_value` for how jobs are to be kept by a service that has none */
export const patchJobs = (
  name: string,
  before: JobRules | undefined,
  patch: JobsPatch | undefined,
): Pick<Service, "jobs"> => {
  if (patch?.on === false) return {};
  if (before === undefined && patch?.on !== true) {
    if (patch === undefined) return {};
    throw new AigwError("invalid_value", `The calls of ${name} do not become jobs. Let them first: --jobs`);
  }
  const origins = patch?.callbackOrigins ?? before?.callbackOrigins ?? [];
  return {
    jobs: {
      keepMs: patch?.keepMs ?? before?.keepMs ?? DEFAULT_KEEP_MS,
      ...((patch?.retry ?? before?.retry) === true && { retry: true as const }),
      ...(origins.length > 0 && { callbackOrigins: origins }),
    },
  };
};
