import { resolve } from "node:path";
import { parseTrustProxy } from "@aigw/core/config";
import { parseDuration } from "@aigw/core/services";
import { inTime, WORK_PATIENCE_MS } from "@aigw/core/store";
import type { GatewayOptions } from "@aigw/runtime";
import type { Command } from "commander";
import { UsageError } from "../app/cli-error.ts";
import { describe } from "../app/command.ts";
import type { Context } from "../app/context.ts";
import { flag } from "../app/flag.ts";
import { type Home, openHomeForGateway } from "../app/home.ts";
import { listenError } from "../app/listen-error.ts";
import { parseCount, parsePort } from "../app/parse-value.ts";
import { settingsInForce } from "../app/settings.ts";
import { jobsFolder, spoolFolders } from "../app/spool-folder.ts";
import { readVersion } from "../app/version.ts";
import { announce, sayStopping } from "../serving/announce.ts";
import { logOptions, logWriter } from "../serving/log-writer.ts";

export interface ServeOptions {
  readonly host: string;
  readonly port: number;
  /** Processes that share the address. */
  readonly workers: number;
  /** Milliseconds for which known clients keep working when the store cannot be read. */
  readonly maxStale: number;
  /** Milliseconds that calls under way are given at the end. */
  readonly drain: number;
  /** PEM files: both or none. */
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  /** The setting of this name, in its stored form. */
  readonly trustProxy?: string;
  readonly adminHost?: string;
  /** Without it there is no admin address. */
  readonly adminPort?: number;
}

export const command = (ctx: Context): Command =>
  describe(
    "serve",
    "Run the gateway until Ctrl-C or SIGTERM. Its log goes to stderr: to a terminal as text, else a JSON object a line.",
    [
      ["aigw serve", "on http://127.0.0.1:8080, for this machine only"],
      [
        "aigw serve --host 0.0.0.0 --port 443 --tls-cert fullchain.pem --tls-key privkey.pem",
        "for the network, in https; renewed files are taken up without a restart",
      ],
      [
        "aigw serve --trust-proxy 127.0.0.1",
        "behind nginx, HAProxy or Caddy on this machine: clients have their own addresses",
      ],
      ["aigw serve --workers 4", "as four processes behind one address, for a machine with as many cores"],
      ["aigw serve --admin-port 9464", "with metrics for Prometheus on http://127.0.0.1:9464/metrics"],
      ["aigw serve --port 0 -q", "on any free port; prints the URL once it is ready"],
    ],
  )
    .optionsGroup("Where it listens:")
    .option("--host <address>", "where to listen", "127.0.0.1")
    .option("--port <number>", "0 takes any free one", flag("--port", parsePort), 8080)
    .option("--workers <number>", "processes that share the address", flag("--workers", parseWorkers), 1)
    .option("--tls-cert <file>", "speak https with this certificate (PEM, with its intermediates)")
    .option("--tls-key <file>", "the certificate's private key (PEM, without a passphrase)")
    .optionsGroup("Whom it believes, and what it shows:")
    .option(
      "--trust-proxy <list>",
      "proxies in front whose X-Forwarded-For is believed: addresses, networks, loopback, private; or off",
      flag("--trust-proxy", parseTrustProxy),
    )
    .option(
      "--admin-port <number>",
      "offer /metrics on this port; 0 takes any free one",
      flag("--admin-port", parsePort),
    )
    .option("--admin-host <address>", "where to offer it; 127.0.0.1 unless given")
    .optionsGroup("When something ends:")
    .option(
      "--max-stale <duration>",
      "how long known clients keep working without the store",
      durationFlag("--max-stale"),
      60_000,
    )
    .option("--drain <duration>", "how long calls under way may take at the end", durationFlag("--drain"), 30_000)
    .action((options: ServeOptions) => run(options, ctx));

const MOST_WORKERS = 256;

const parseWorkers = (value: string): number => parseCount("number", value, 1, MOST_WORKERS);

const durationFlag = (name: string): ((value: string) => number) =>
  flag(name, (value) => parseDuration(name.slice(2), value));

export const run = async (options: ServeOptions, ctx: Context): Promise<void> => {
  const listening = listeningOptions(options, ctx);
  // Listened for from the start: a signal that comes while the gateway starts ends it in good order too.
  const stop = stopRequest(ctx, options.drain);
  try {
    const home = await openHomeForGateway(ctx);
    try {
      await serveUntil(stop.requested, { ...options, ...listening }, ctx, home);
    } finally {
      await home.store.close();
    }
  } finally {
    stop.forget();
  }
};

type Listening = Pick<GatewayOptions, "host" | "port" | "tls" | "trustProxy" | "admin">;

/** @throws UsageError when one flag lacks another */
const listeningOptions = (options: ServeOptions, { io }: Context): Listening => {
  const { host, port, tlsCert, tlsKey, trustProxy, adminHost, adminPort } = options;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new UsageError(`${tlsCert === undefined ? "--tls-key needs --tls-cert" : "--tls-cert needs --tls-key"} too.`);
  }
  if (adminHost !== undefined && adminPort === undefined) {
    throw new UsageError("--admin-host needs --admin-port too, such as --admin-port 9464.");
  }
  return {
    host,
    port,
    ...(tlsCert !== undefined &&
      tlsKey !== undefined && { tls: { cert: resolve(io.cwd, tlsCert), key: resolve(io.cwd, tlsKey) } }),
    ...(trustProxy !== undefined && { trustProxy }),
    ...(adminPort !== undefined && { admin: { host: adminHost ?? "127.0.0.1", port: adminPort } }),
  };
};

const serveUntil = async (
  stopped: Promise<void>,
  options: ServeOptions & Listening,
  ctx: Context,
  home: Home,
): Promise<void> => {
  const { host, port, tls, trustProxy, admin, workers } = options;
  const version = readVersion();
  // A value in the environment that is not valid is to be named before anything listens.
  settingsInForce(ctx, await inTime(home.store.control.settings(), WORK_PATIENCE_MS));
  if (workers > 1) {
    const { serveWorkers } = await import("../workers/serve-workers.ts");
    const { maxStale: maxStaleMs, drain: drainMs } = options;
    const onReload = (reload: () => void): (() => void) => reloadOnRequest(ctx, reload);
    const listening = { host, port, ...(tls && { tls }), ...(trustProxy && { trustProxy }), ...(admin && { admin }) };
    return serveWorkers({ ...listening, workers, version, maxStaleMs, drainMs, stopped, onReload }, ctx, home);
  }
  const { startGateway } = await import("@aigw/runtime");
  const gateway = await startGateway({
    store: home.store,
    storeUrl: home.storeUrl,
    sealer: home.sealer,
    clock: home.clock,
    host,
    port,
    ...(tls && { tls }),
    ...(trustProxy && { trustProxy }),
    ...(admin && { admin }),
    env: ctx.env,
    version,
    pid: process.pid,
    maxStaleMs: options.maxStale,
    drainMs: options.drain,
    ...spoolFolders(home.path, home.storeUrl),
    ...jobsFolder(home.path),
    log: await logWriter(ctx.io.stderr, logOptions(ctx)),
  }).catch((error: unknown) => {
    throw listenError(error, host, port);
  });
  const forgetReload = reloadOnRequest(ctx, () => void gateway.reloadCertificate());
  try {
    const { instanceId: id, url, adminUrl } = gateway;
    const json = { id, url, pid: process.pid, ...(adminUrl !== undefined && { adminUrl }) };
    await announce(ctx, home, { version, url, adminUrl, json });
    await stopped;
  } finally {
    forgetReload();
    await gateway.close();
  }
};

/** At a terminal SIGHUP says that the terminal is gone, and ends the process as usual. */
const reloadOnRequest = ({ io }: Context, reload: () => void): (() => void) => {
  if (io.stdin.isTTY === true || io.onReload === undefined) return () => undefined;
  return io.onReload(reload);
};

const stopRequest = (
  ctx: Context,
  drainMs: number,
): { readonly requested: Promise<void>; readonly forget: () => void } => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const forget = ctx.io.onStop(() => {
    sayStopping(ctx, drainMs);
    resolve();
  });
  return { requested: promise, forget };
};
