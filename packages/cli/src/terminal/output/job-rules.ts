import type { Service } from "@aigw/core";
import { formatDuration } from "./time.ts";

/** How the calls of a service become jobs; empty: they do not. */
export const jobsInWords = ({ jobs }: Service): string => {
  if (jobs === undefined) return "";
  const { keepMs, retry, callbackOrigins = [] } = jobs;
  return [
    `kept for ${formatDuration(keepMs)}`,
    ...(retry === true ? ["run again when interrupted"] : []),
    ...(callbackOrigins.length === 0 ? [] : [`call-backs to ${callbackOrigins.join(", ")}`]),
  ].join("; ");
};
