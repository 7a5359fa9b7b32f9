// The process of one worker: what `aigw serve --workers` forks.
import cluster from "node:cluster";
import { enableCompileCache, importQuickly } from "../app/compile-cache.ts";
import { shutDiagnostics } from "../app/shut-diagnostics.ts";

// Else it would open the inspector.
process.on("SIGUSR1", () => {});
shutDiagnostics();
// Ctrl-C and a service manager's SIGTERM go to all processes of the group. Only the primary answers them, and tells the
// workers what to do.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
// Whoever reads the log may be gone; a worker is not to end by that.
process.stderr.on("error", () => {});
// Node would end a worker on the spot when its primary is gone: usage not stored, calls broken off.
if (cluster.worker) cluster.worker.exitedAfterDisconnect = true;

enableCompileCache();
importQuickly();
const { runWorker } = await import("./run-worker.ts");
process.exit(await runWorker());
