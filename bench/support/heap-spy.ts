// Loaded into a gateway by `--import`: on SIGUSR2 it collects everything and says what it holds.
import { writeFileSync } from "node:fs";

process.on("SIGUSR2", () => {
  // Twice: what a finalizer frees, only the next collection sees.
  for (let time = 0; time < 2; time += 1) globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  writeFileSync(process.env["AIGW_HEAP"] ?? "", String(heapUsed + arrayBuffers));
});
