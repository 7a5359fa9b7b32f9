import { parentPort, workerData } from "node:worker_threads";
import { openHome, systemClock, type UsageEvent } from "../../packages/core/src/index.ts";

const { store } = await openHome({ home: workerData as string, clock: systemClock, busyTimeoutMs: 5_000 });
parentPort?.on("message", async (events: readonly UsageEvent[]) => {
  await store.traffic.recordUsage(events);
  parentPort?.postMessage("stored");
});
