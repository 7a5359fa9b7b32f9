import type { SeenInstance, TrafficStore } from "@aigw/core";
import { byGatewayName, gatewayName, INSTANCE_GONE_MS, isSilent } from "@aigw/core/acts";
import { AigwError, isStoreFault } from "@aigw/core/errors";

/** Which gateways run, as far as it is known. */
export interface WhoRuns {
  /** In the order in which they are shown; none when it cannot be read. */
  readonly gateways: readonly SeenInstance[];
  /** `unconfirmed`: that is not all that there is to know. */
  readonly problem?: AigwError;
}

export const whoRuns = async (traffic: TrafficStore): Promise<WhoRuns> => {
  try {
    const gateways = [...(await traffic.instances(INSTANCE_GONE_MS))].sort(byGatewayName);
    const silent = gateways.filter(isSilent);
    return silent.length === 0 ? { gateways } : { gateways, problem: unconfirmed(silent, gateways.length) };
  } catch (error) {
    if (!isStoreFault(error)) throw error;
    const message = `Which gateways run could not be confirmed: ${error.message}`;
    return { gateways: [], problem: new AigwError("unconfirmed", message, { cause: error, details: error.details }) };
  }
};

/** What is known of a gateway that does not report. */
export const silence = ({ id, pid, alive, lastSeenAgoMs }: SeenInstance): string =>
  `${id}, process ${pid}, ${alive ? "runs and" : "may run and"} has not reported for ${Math.round(lastSeenAgoMs / 1_000)} s`;

const unconfirmed = (silent: readonly SeenInstance[], total: number): AigwError => {
  const names = silent.map((gateway) => `${gatewayName(gateway)} (${silence(gateway)})`);
  return new AigwError(
    "unconfirmed",
    `What is in force on ${silent.length} of ${total} gateways could not be confirmed: ${names.join(", ")}. The log says why; see: aigw doctor`,
    { details: { gateways: silent.map(({ id }) => id) } },
  );
};

/** The gateways that say how their targets are; none when that cannot be read, which others say. */
export const runningGateways = async (traffic: TrafficStore): Promise<readonly SeenInstance[]> => {
  const { gateways } = await whoRuns(traffic);
  return gateways.filter((gateway) => !isSilent(gateway));
};
