import type { Clock } from "@aigw/core";
import type { Logger } from "../log.ts";
import type { OnTargetChange } from "../proxy/target-state.ts";

/** A line whenever a target goes down or comes up. */
export const targetLog =
  (log: Logger, clock: Pick<Clock, "now">): OnTargetChange =>
  ({ service, url, isDown, fault }, wasSince) => {
    const facts = { service, target: url };
    if (isDown) log.warn({ ...facts, reason: fault }, "target down");
    else log.info({ ...facts, downMs: Math.round(clock.now() - wasSince) }, "target up");
  };
