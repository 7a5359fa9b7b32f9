import type { GatewayOptions } from "@aigw/runtime";
import type { MetricsServer } from "@aigw/runtime/workers";
import type { Context } from "../app/context.ts";
import type { Home } from "../app/home.ts";
import { systemCodeOf } from "../app/listen-error.ts";
import { announce } from "../serving/announce.ts";
import { logOptions, logWriter } from "../serving/log-writer.ts";
import { freePort } from "./free-port.ts";
import { createPrimaryLog, type PrimaryLog } from "./primary-log.ts";
import { type RunningWorker, WorkerPool } from "./worker-pool.ts";

export interface ServeWorkersOptions
  extends Pick<
    GatewayOptions,
    "host" | "port" | "tls" | "trustProxy" | "admin" | "version" | "maxStaleMs" | "drainMs"
  > {
  /** How many processes, 2 or more. */
  readonly workers: number;
  /** Resolves when they are to end. */
  readonly stopped: Promise<void>;
  /** Registers who takes renewed certificates up. @returns how to take it back */
  readonly onReload: (reload: () => void) => () => void;
}

/** Somebody else may be given the free port first. */
const PORT_TRIES = 5;

/**
 * One gateway of several processes behind one address, until it is stopped. This process accepts the connections, hands
 * them out in turn, and replaces workers that die; see docs/decisions/012-workers.md.
 * @throws AigwError what a worker failed of at the start, or when one did not end in good order; none is left running
 */
export const serveWorkers = async (options: ServeWorkersOptions, ctx: Context, home: Home): Promise<void> => {
  const log = createPrimaryLog(await logWriter(ctx.io.stderr, logOptions(ctx)));
  let pool: WorkerPool | undefined;
  // The second Ctrl-C: this process does not wait, and then neither do they.
  const onExit = (code: number): void => {
    if (code === 130) pool?.killAll();
  };
  process.on("exit", onExit);
  const admin = options.admin && (await openMetrics(options.admin, () => pool, log));
  try {
    for (let tries = 1; ; tries += 1) {
      const port = options.port === 0 ? await freePort(options.host) : options.port;
      pool = new WorkerPool({
        workers: options.workers,
        job: { ...jobOf({ ...options, port }, home), rawLog: ctx.out.mode === "json" },
        traffic: home.store.traffic,
        log,
      });
      const running = await Promise.race([pool.start(), options.stopped]).catch((error: unknown) => {
        const taken = options.port === 0 && systemCodeOf(error) === "EADDRINUSE";
        if (!taken || tries === PORT_TRIES) throw error;
        return "again" as const;
      });
      if (running === "again") continue;
      await serveUntilStopped(running ?? undefined, pool, options, ctx, home, log, admin?.url);
      return;
    }
  } finally {
    process.off("exit", onExit);
    await admin?.close();
  }
};

/** @param running absent when it was stopped before all listened */
const serveUntilStopped = async (
  running: readonly RunningWorker[] | undefined,
  pool: WorkerPool,
  options: ServeWorkersOptions,
  ctx: Context,
  home: Home,
  log: PrimaryLog,
  adminUrl: string | undefined,
): Promise<void> => {
  const forgetReload = options.onReload(() => pool.reloadCertificate());
  try {
    if (running === undefined) return;
    const url = running[0]?.url ?? "";
    log(
      "info",
      { url, adminUrl, workers: running.length, version: options.version, pid: process.pid },
      "gateway started",
    );
    const workers = running.map(({ worker, id, pid }) => ({ worker, id, pid }));
    const json = { url, pid: process.pid, ...(adminUrl !== undefined && { adminUrl }), workers };
    await announce(ctx, home, { version: options.version, url, adminUrl, workers: running.length, json });
    await options.stopped;
  } finally {
    forgetReload();
    log("info", { workers: options.workers }, "draining");
    await pool.end();
    log("info", {}, "gateway stopped");
  }
};

const jobOf = (
  { host, port, tls, trustProxy, version, maxStaleMs, drainMs }: ServeWorkersOptions,
  { path, storeUrl }: Home,
): ConstructorParameters<typeof WorkerPool>[0]["job"] => ({
  host,
  port,
  ...(tls && { tls }),
  ...(trustProxy && { trustProxy }),
  version,
  maxStaleMs,
  drainMs,
  home: path,
  storeUrl,
});

/** The workers share one address for `/metrics` too: this process asks them. */
const openMetrics = async (
  { host, port }: NonNullable<GatewayOptions["admin"]>,
  pool: () => WorkerPool | undefined,
  log: PrimaryLog,
): Promise<MetricsServer> => {
  const { createWorkersMetrics, startMetricsServer } = await import("@aigw/runtime/workers");
  const metrics = createWorkersMetrics({
    ask: async () => (await pool()?.metrics()) ?? [],
    runs: (id) => pool()?.runs(id) ?? false,
    restarts: () => pool()?.restarts ?? 0,
  });
  const onError = (error: unknown, requestId: string): void =>
    log("error", { requestId, error: error instanceof Error ? error.name : typeof error }, "request failed");
  return startMetricsServer({ host, port, metrics, onError });
};
