import { hostname } from "node:os";
import type { ActDeps, Sealer, Store } from "@aigw/core";
import { type Clock, systemClock } from "@aigw/core/clock";
import { effectiveSetting } from "@aigw/core/config";
import { isStoreFault } from "@aigw/core/errors";
import { randomId } from "@aigw/core/random-id";
import { isTrialMark } from "@aigw/core/sealing";
import { UsageSpool } from "@aigw/core/spool";
import { realmOf } from "@aigw/core/tokens";
import { pruneTime, UsageSealer, usageMac } from "@aigw/core/usage";
import { API, serviceIn } from "./api-target.ts";
import { createApp } from "./app.ts";
import { mayDumpCore } from "./core-dumps.ts";
import { CorsRules } from "./cors/cors-rules.ts";
import { errorNameOf, reasonOf } from "./fault-reason.ts";
import { ControlFollower } from "./follow/control-follower.ts";
import { EndedKeys } from "./follow/ended-keys.ts";
import { InstanceReporter } from "./follow/instance-reporter.ts";
import type { ForwardedCall } from "./gate/api-call.ts";
import { ApiGate } from "./gate/api-gate.ts";
import { Authenticator } from "./gate/authenticator.ts";
import { OpenCalls } from "./gate/open-calls.ts";
import { PreflightGate } from "./gate/preflight-gate.ts";
import { QueueGate } from "./gate/queue-gate.ts";
import { QuotaGate } from "./gate/quota-gate.ts";
import { type GatewayWorker, HAND_OUT_MS } from "./gateway-worker.ts";
import type { ClientDocs } from "./guide/client-docs.ts";
import type { ProblemCode } from "./http-errors.ts";
import { Jobs } from "./jobs/jobs.ts";
import { openListeners } from "./listeners.ts";
import { createLogger } from "./log.ts";
import { HashSlots } from "./login/hash-slots.ts";
import { Login } from "./login/login.ts";
import { rehash } from "./login/rehash.ts";
import { Costs } from "./metering/call-cost.ts";
import { CallMeter } from "./metering/call-meter.ts";
import { faultLog } from "./metering/fault-log.ts";
import { GatewayStats, type StoreOperation } from "./metering/gateway-stats.ts";
import { sealOthers } from "./metering/seal-others.ts";
import { spoolLog } from "./metering/spool-log.ts";
import { StrangerLog } from "./metering/stranger-log.ts";
import { targetLog } from "./metering/target-log.ts";
import { UsageKeeper } from "./metering/usage-keeper.ts";
import { UsageRecorder } from "./metering/usage-recorder.ts";
import type { MetricFamily } from "./metrics/metric-family.ts";
import { OpenFiles, openFilesLimit } from "./open-files.ts";
import { Callers } from "./peer/callers.ts";
import { ReverseProxy } from "./proxy/reverse-proxy.ts";
import { targetReports } from "./proxy/target-report.ts";
import { releaseAfterLoading, releaseWhenQuiet } from "./release-memory.ts";
import { GatewayProver } from "./routes/proof-route.ts";
import { SharedCounts } from "./shared-counts.ts";
import type { CertificateFiles } from "./tls/certificate.ts";

export interface GatewayOptions {
  readonly store: Store;
  /** Where `store` is; with it the gateway sums up and prunes usage, in a thread that opens the store by itself. */
  readonly storeUrl?: string;
  readonly sealer: Sealer;
  readonly clock?: Clock;
  /** Address to bind, such as 127.0.0.1. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** With it the gateway speaks HTTPS only, and follows the files. */
  readonly tls?: CertificateFiles;
  /** Where `/metrics` is; nowhere without it. */
  readonly admin?: { readonly host: string; readonly port: number };
  /** The setting `trust-proxy` of the command line, in its stored form: comes before the environment's. */
  readonly trustProxy?: string;
  /** The environment's settings, which come before stored ones; see `SETTINGS`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  readonly pid: number;
  /** Set when several processes share the address. */
  readonly worker?: GatewayWorker;
  /** Where usage waits on the local disk while the store takes none; without it, it waits in memory alone. */
  readonly spoolFolder?: string;
  /** Where requests and answers of jobs lie, unless the setting `jobs-folder` says otherwise. */
  readonly jobsFolder?: string;
  /** Where what quotas count waits meanwhile; without it, in memory alone. */
  readonly quotaFolder?: string;
  /** How long known clients are served while the store cannot be read, milliseconds. */
  readonly maxStaleMs: number;
  /** How long open transfers may take to end on {@link Gateway.close}, milliseconds. */
  readonly drainMs: number;
  /** Takes JSON lines. */
  readonly log: (line: string) => void;
}

export interface Gateway {
  /** Such as `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Such as `http://127.0.0.1:9464`. */
  readonly adminUrl: string | undefined;
  readonly instanceId: string;
  /** Looks at the certificate's files now instead of within a second. */
  reloadCertificate(): Promise<void>;
  /** What `/metrics` would show, for another process that shows it. */
  metricFamilies(): Promise<readonly MetricFamily[]>;
  /**
   * Drains: not ready any more, calls under way end, usage is stored. The store stays open: it is the caller's.
   * With `atOnce` calls under way are cut, also when it is draining already.
   */
  close(options?: { readonly atOnce?: boolean }): Promise<void>;
}

/** How often expired clients' transfers are looked for. */
const EXPIRY_SWEEP_MS = 250;
const PRUNE_MS = 60_000;
/** `/ready` says no for so long before connections are refused, so that a load balancer can turn first. */
const LAME_DUCK_MS = 500;

/** @throws AigwError when the store cannot be read, or the address cannot be bound */
export const startGateway = async (options: GatewayOptions): Promise<Gateway> => {
  const { store, sealer, clock = systemClock } = options;
  const instanceId = randomId("gw-", 8);
  const { worker } = options;
  const isFirst = worker === undefined || worker.number === 1;
  const log = createLogger(options.log, { instance: instanceId, ...(worker && { worker: worker.number }) });
  const storeFault =
    (operation: StoreOperation, what: string = operation) =>
    (error: unknown) => {
      stats.storeFaults.add(operation);
      log.error({ what, code: isStoreFault(error) ? error.code : "internal", reason: reasonOf(error) }, "store fault");
    };
  let state: "ready" | "draining" = "ready";
  let ready = false;

  const follower = new ControlFollower({
    control: store.control,
    sealer,
    clock,
    maxStaleMs: options.maxStaleMs,
    onApplied: () => {
      callers.trust(follower.settings);
      quotas.refresh();
      cors.refresh();
      proxy.follow(follower.upstreams);
      queue.refresh();
      if (!ready) return;
      authenticator.forgetDead();
      openCalls.cutRevoked();
      jobs.changed();
      void reporter.report();
    },
    onFault: storeFault("follow"),
    onRecovered: () => log.info("the store can be read again"),
  });
  const { storeUrl, env = {} } = options;
  const cors = new CorsRules({ follower, env });
  const isService = (name: string): boolean => follower.upstream(name) !== undefined;
  const stats = new GatewayStats(isService);
  const tokenNow = (): number => store.traffic.steadyNow();
  const realm = realmOf(store.control.storeId);
  const authenticator = new Authenticator({ follower, realm, tokenNow, wallNow: () => clock.now() });
  const openFiles = new OpenFiles(openFilesLimit(), log);
  const proxy = new ReverseProxy<ForwardedCall>({
    clock: () => clock.monotonic(),
    wallNow: () => clock.now(),
    openFiles,
    onTargetChange: targetLog(log, clock),
    onElsewhere: (service) => stats.elsewhere.add(service),
  });
  const openCalls = new OpenCalls(proxy, follower, authenticator);
  const { spoolFolder: folder } = options;
  const usageSealer = new UsageSealer(usageMac(sealer, store.control.storeId));
  const recorder = new UsageRecorder({
    traffic: store.traffic,
    spool:
      folder === undefined ? undefined : new UsageSpool({ folder, id: instanceId, onProblem: spoolLog(log, folder) }),
    onFault: (error, held) => storeFault("record_usage", `record usage, ${held} events held`)(error),
    onRecovered: (dropped) => log.info({ dropped }, "usage is stored again"),
    onFlushed: (ms) => stats.flushes.observe(ms),
    sealer: usageSealer,
  });
  const callers = new Callers({ tls: options.tls !== undefined, flag: options.trustProxy, env, clock, log });
  const keeper =
    storeUrl === undefined || !isFirst
      ? undefined
      : new UsageKeeper({
          storeUrl,
          gateways: worker?.of ?? 1,
          before: () => pruneTime(effectiveSetting("usage-days", follower.settings, env).value, clock.now()),
          onKept: (pruned) => pruned > 0 && log.info({ pruned }, "old usage pruned"),
          onFault: storeFault("prune", "sum up and prune usage"),
        });
  const counts = new SharedCounts({
    traffic: store.traffic,
    instanceId,
    share: () => reporter.share,
    quotaFolder: options.quotaFolder,
    onFault: (what, error) => storeFault("permits", what)(error),
  });
  const { limiter, guessLimit } = counts;
  const quotas = new QuotaGate({ follower, ledger: counts.ledger, env });
  const queue = new QueueGate({ follower, authenticator, proxy, queue: counts.fairQueue });
  const strangers = new StrangerLog(log);
  const onStranger = (code: ProblemCode): void => {
    stats.strangers.add(code);
    strangers.count(code);
  };

  const onError = (error: unknown, requestId: string): void => {
    log.error({ requestId, error: errorNameOf(error) }, "request failed");
  };
  const acts: ActDeps = { store, sealer, clock, actor: `gateway ${instanceId}` };
  const endedKeys = new EndedKeys({
    follower,
    acts,
    onRetired: () => void keeper?.keep(),
    onFault: storeFault("prune", "erase ended keys"),
  });
  const login = new Login({
    follower,
    authenticator,
    guessLimit,
    hashSlots: new HashSlots(() => clock.monotonic()),
    realm,
    tokenNow,
    noteToken: (issue) => recorder.noteToken(issue),
    isTrial: (username, mark) => isTrialMark(sealer, store.control.storeId, username, mark, tokenNow()),
    onWeakHash: (client, password) => void rehash(acts, client, password).catch(storeFault("rehash")),
  });
  const onFault = faultLog(log, openFiles);
  const meter = new CallMeter({
    clock,
    recorder,
    stats: stats.calls,
    instanceId,
    isService,
    costs: new Costs(follower),
    onFault,
    onRequest: () => reporter.countRequest(),
    onEvent: () => keeper?.countCall(),
  });
  const jobs = new Jobs({
    store,
    sealer,
    clock,
    follower,
    authenticator,
    limiter,
    meter,
    instanceId,
    folder: options.jobsFolder,
    env,
    ownUrl: () => listeners.url,
    isFirst,
    onStranger,
    onError,
    onFault: storeFault("jobs"),
    log,
  });
  const apiGate = new ApiGate({
    follower,
    authenticator,
    limiter,
    quotas,
    queue,
    steadyNow: tokenNow,
    proxy,
    meter,
    callers,
    jobs,
    onStranger,
    onError,
  });
  const preflightGate = new PreflightGate({ follower, proxy, callers, onStranger, onFault });
  const prover = new GatewayProver({
    sealer,
    storeId: store.control.storeId,
    follower,
    env,
    ownUrl: () => listeners.url,
  });
  // Loaded when somebody reads them: a fifth of our own code.
  let docs: ClientDocs | undefined;
  const loadDocs = async (): Promise<ClientDocs> => {
    const { ClientDocs } = await import("./guide/client-docs.ts");
    docs ??= new ClientDocs({ follower, env, ownUrl: () => listeners.url });
    return docs;
  };
  const app = createApp({
    login,
    callers,
    apiGate,
    jobs,
    preflightGate,
    prover,
    docs: async () => docs ?? loadDocs(),
    onLogin: (result) => stats.logins.add(result),
    onPreflight: (by) => stats.preflights.add(by),
    isReady: async () => state === "ready" && (await follower.isFresh()),
    onError,
  });

  await follower.start();
  const startedAt = clock.now();
  releaseAfterLoading(follower.clientCount);
  const listeners = await openListeners({
    address: { host: options.host, port: options.port },
    tls: options.tls,
    adminAddress: options.admin,
    app,
    cors,
    metrics: {
      stats,
      version: options.version,
      instanceId,
      isReady: () => state === "ready" && follower.staleMs <= options.maxStaleMs,
      openCalls: () => openCalls.size,
      routes: () => proxy.routes,
      queues: () => queue.figures(),
      staleMs: () => follower.staleMs,
      appliedRev: () => follower.rev,
      usage: () => recorder,
      jobs: () => jobs.figures,
      refusedForFiles: () => openFiles.refused,
    },
    openFiles,
    isDraining: () => state === "draining",
    passesEncodedSlash: (target) =>
      target.startsWith(API) && follower.upstream(serviceIn(target))?.passesEncodedSlash === true,
    onMalformed: onStranger,
    onError,
    log,
  }).catch(async (error: unknown) => {
    follower.stop();
    proxy.close();
    throw error;
  });
  const { url, adminUrl, reloadCertificate } = listeners;
  const reporter = new InstanceReporter({
    traffic: store.traffic,
    clock,
    identity: {
      id: instanceId,
      address: url,
      hostname: hostname(),
      ...(worker && { worker: worker.number }),
      pid: options.pid,
      version: options.version,
      maxStaleMs: options.maxStaleMs,
      ...(mayDumpCore() && { dumpsCore: true }),
    },
    current: () => ({
      state: state === "ready" && follower.isFresh() === false ? "stale" : state,
      appliedRev: follower.rev,
      droppedUsage: recorder.dropped,
      ...openFiles.report(),
      untrustedForwarders: callers.untrustedForwarders(),
      targets: targetReports(proxy.routes, startedAt),
    }),
    onFault: storeFault("report"),
  });
  openFiles.measure();
  ready = true;
  const nameOthers = (): void =>
    void sealOthers(store.traffic, usageSealer, instanceId).catch(storeFault("record_usage", "name others' seals"));
  nameOthers();
  recorder.start();
  keeper?.start();
  jobs.start(apiGate);
  strangers.start();
  const sweep = setInterval(() => {
    openCalls.cutRevoked();
    jobs.cutRevoked();
    if (isFirst) endedKeys.look();
    queue.review();
    counts.settle();
  }, EXPIRY_SWEEP_MS);
  const prune = setInterval(() => {
    authenticator.forgetDead();
    counts.prune();
    meter.prune();
    jobs.prune();
    if (reporter.share.of > 1) nameOthers();
    if (isFirst) void counts.pruneStore().catch(storeFault("prune"));
  }, PRUNE_MS);
  const stayLarge = releaseWhenQuiet(() => openCalls.size === 0);
  const cutAll = (): void => {
    queue.refuseAll();
    openCalls.cutAll();
  };
  const end = async (atOnce: boolean): Promise<void> => {
    state = "draining";
    log.info({ openCalls: openCalls.size }, "draining");
    await reporter.report();
    // Before calls under way are cut: a job is to be put back, or to say that it was interrupted.
    const jobsEnded = jobs.drain(atOnce ? 0 : options.drainMs);
    await listeners.close({
      lameDuckMs: atOnce ? 0 : LAME_DUCK_MS + (worker ? HAND_OUT_MS : 0),
      drainMs: atOnce ? 0 : options.drainMs,
      goAway: () => {
        queue.goAway();
        openCalls.goAway();
      },
      cutOpenCalls: cutAll,
    });
    await jobsEnded;
    await jobs.close();
    clearInterval(sweep);
    clearInterval(prune);
    stayLarge();
    follower.stop();
    proxy.close();
    await counts.close();
    await keeper?.close();
    meter.flush();
    const dropped = await recorder.close();
    await reporter.retire();
    strangers.close();
    await listeners.closeAdmin();
    log.info({ dropped }, "gateway stopped");
  };
  let ended: Promise<void> | undefined;
  const close: Gateway["close"] = ({ atOnce = false } = {}) => {
    if (ended !== undefined && atOnce) cutAll();
    ended ??= end(atOnce);
    return ended;
  };
  await reporter.start().catch(async (error: unknown) => {
    await close({ atOnce: true });
    throw error;
  });
  if (state === "ready") jobs.begin();
  log.info({ url, adminUrl, version: options.version, rev: follower.rev }, "gateway started");
  const metricFamilies = async (): Promise<readonly MetricFamily[]> => (await listeners.loadMetrics()).families();
  return { url, adminUrl, instanceId, reloadCertificate, metricFamilies, close };
};
