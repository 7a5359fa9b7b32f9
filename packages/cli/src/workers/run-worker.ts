import { systemClock } from "@aigw/core/clock";
import { type OpenedHome, openHome } from "@aigw/core/home";
import { type Gateway, startGateway } from "@aigw/runtime";
import { GATEWAY_BUSY_TIMEOUT_MS } from "../app/home.ts";
import { listenError } from "../app/listen-error.ts";
import { jobsFolder, spoolFolders } from "../app/spool-folder.ts";
import { type LogWriter, logWriter } from "../serving/log-writer.ts";
import { failureOf } from "./failure.ts";
import { type FromWorker, LIFE_SIGN_MS, type ToWorker, type WorkerJob } from "./messages.ts";

/** Without a primary nobody ends a worker that does not come to its end, such as one that waits for a locked store. */
const ALONE_MS = 3_000;

/** Serves what the primary says until it says so, or is gone. Never throws. @returns the exit code */
export const runWorker = async (): Promise<number> => {
  const started = Promise.withResolvers<WorkerJob>();
  const ended = Promise.withResolvers<{ readonly atOnce: boolean }>();
  let gateway: Gateway | undefined;
  let ending = false;
  const end = (atOnce: boolean): void => {
    // Draining: what is still under way is cut now.
    if (ending && atOnce) void gateway?.close({ atOnce });
    ending = true;
    ended.resolve({ atOnce });
  };
  process.on("message", (message: ToWorker) => {
    if (message.type === "start") started.resolve(message.job);
    else if (message.type === "reload") void gateway?.reloadCertificate();
    else if (message.type === "metrics") void answerMetrics(gateway, message.request);
    else end(message.atOnce);
  });
  process.on("disconnect", () => {
    setTimeout(() => process.exit(1), ALONE_MS).unref();
    end(true);
  });

  let home: OpenedHome | undefined;
  try {
    const first = await Promise.race([started.promise, ended.promise]);
    if (!("worker" in first)) return 0;
    home = await openHomeOf(first);
    const log = await logWriter(process.stderr, { env: process.env, colour: true, raw: first.rawLog === true });
    gateway = await startGatewayOf(first, home, log);
    await tell({ type: "listening", id: gateway.instanceId, url: gateway.url });
    setInterval(() => void tell({ type: "alive" }), LIFE_SIGN_MS).unref();
    await gateway.close(await ended.promise);
    return 0;
  } catch (error) {
    await tell({ type: "failed", failure: failureOf(error) });
    return 1;
  } finally {
    await home?.store.close();
  }
};

const openHomeOf = ({ home, storeUrl }: WorkerJob): Promise<OpenedHome> =>
  openHome({
    home,
    storeUrl,
    masterKey: process.env["AIGW_MASTER_KEY"] || undefined,
    clock: systemClock,
    busyTimeoutMs: GATEWAY_BUSY_TIMEOUT_MS,
  });

const startGatewayOf = (job: WorkerJob, home: OpenedHome, log: LogWriter): Promise<Gateway> =>
  startGateway({
    store: home.store,
    storeUrl: home.storeUrl,
    sealer: home.sealer,
    host: job.host,
    port: job.port,
    ...(job.tls && { tls: job.tls }),
    ...(job.trustProxy && { trustProxy: job.trustProxy }),
    env: process.env,
    version: job.version,
    pid: process.pid,
    worker: job.worker,
    maxStaleMs: job.maxStaleMs,
    drainMs: job.drainMs,
    ...spoolFolders(home.home, home.storeUrl),
    ...jobsFolder(home.home),
    log,
  }).catch((error: unknown) => {
    throw listenError(error, job.host, job.port);
  });

const answerMetrics = async (gateway: Gateway | undefined, request: number): Promise<void> => {
  if (gateway !== undefined) await tell({ type: "metrics", request, families: await gateway.metricFamilies() });
};

/** Resolves when it is on its way, also when nobody is there to read it. */
const tell = (message: FromWorker): Promise<void> =>
  new Promise((sent) => {
    if (process.connected && process.send !== undefined) process.send(message, undefined, undefined, () => sent());
    else sent();
  });
