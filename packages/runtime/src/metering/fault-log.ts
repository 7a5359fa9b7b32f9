import { FAULTS, type Fault } from "@aigw/core/services";
import type { Logger } from "../log.ts";
import type { OpenFiles } from "../open-files.ts";
import { systemCodeOf } from "../proxy/upstream-failure.ts";
import type { CallMeterOptions } from "./call-meter.ts";

/** A line for each call that a service failed; what the gateway itself had no room for is counted, and summed up. */
export const faultLog =
  (log: Logger, openFiles: OpenFiles): CallMeterOptions["onFault"] =>
  ({ requestId, service }, reason: Fault, error) => {
    if (reason === "out_of_files") openFiles.countRefused();
    else if (FAULTS[reason].kind === "gateway") log.error({ requestId, reason }, "no room for a call");
    else {
      const code = error === undefined ? "" : systemCodeOf(error);
      log.warn({ requestId, service, reason, ...(code !== "" && { code }) }, "upstream failed");
    }
  };
