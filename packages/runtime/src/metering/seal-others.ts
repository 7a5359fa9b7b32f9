import type { TrafficStore } from "@aigw/core";
import { inTime, WORK_PATIENCE_MS } from "@aigw/core/store";
import { newestBatches, type UsageSealer } from "@aigw/core/usage";

/** Among so many of the newest events every gateway that has calls has sealed some. */
const NEWEST = 1_000;

/** Has the next seal name the newest batches that the store has of other gateways. @throws AigwError `store_*` */
export const sealOthers = async (
  traffic: Pick<TrafficStore, "latestUsage">,
  sealer: Pick<UsageSealer, "noteOthers">,
  instanceId: string,
): Promise<void> => {
  const { events } = await inTime(traffic.latestUsage({}, NEWEST), WORK_PATIENCE_MS);
  sealer.noteOthers(newestBatches(events, instanceId));
};
