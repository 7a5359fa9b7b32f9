import type { ReportedTarget } from "@aigw/core";
import type { Route } from "./route.ts";

/** A report goes to the store every second. */
const MOST_REPORTED = 500;

/**
 * What a gateway tells of its targets: those that are down or have calls, and those of services that have several or
 * are asked for their health. Of one that is left out everything is as at the gateway's start.
 */
export const targetReports = (routes: readonly Route[], startedAt: number): readonly ReportedTarget[] =>
  routes
    .filter(({ state, upstream: { targets = [] } }) => {
      const isOneOfSeveral = targets.length > 1;
      return isOneOfSeveral || state.isDown || state.watched || state.openCalls > 0 || state.since > startedAt;
    })
    .sort((one, other) => Number(other.state.isDown) - Number(one.state.isDown))
    .slice(0, MOST_REPORTED)
    .map(({ state }) => ({
      service: state.service,
      url: state.url,
      state: state.isDown ? "down" : "up",
      since: state.since,
      openCalls: state.openCalls,
      ...(state.isDown && state.fault !== undefined && { reason: state.fault }),
    }));
