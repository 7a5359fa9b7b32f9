import {
  type ActDeps,
  type Clock,
  isStoreFault,
  LIMIT_WINDOW_MS,
  Limiter,
  randomId,
  rehashPassword,
  type Sealer,
  type Store,
  steadyWallClock,
  systemClock,
} from "@aigw/core";
import { realmOf } from "@aigw/core/tokens";
import { createApp } from "./app.ts";
import { ControlFollower } from "./follow/control-follower.ts";
import { InstanceReporter } from "./follow/instance-reporter.ts";
import { ApiGate } from "./gate/api-gate.ts";
import { Authenticator } from "./gate/authenticator.ts";
import { OpenCalls } from "./gate/open-calls.ts";
import { createLogger } from "./log.ts";
import { GuessLimit } from "./login/guess-limit.ts";
import { HashSlots } from "./login/hash-slots.ts";
import { Login } from "./login/login.ts";
import { CallMeter } from "./metering/call-meter.ts";
import { StrangerLog } from "./metering/stranger-log.ts";
import { UsageRecorder } from "./metering/usage-recorder.ts";
import { ReverseProxy } from "./proxy/reverse-proxy.ts";
import { listen } from "./server.ts";

export interface GatewayOptions {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock?: Clock;
  /** Address to bind, such as 127.0.0.1. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly version: string;
  readonly pid: number;
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
  readonly instanceId: string;
  /** Drains: not ready any more, calls under way end, usage is stored. The store stays open: it is the caller's. */
  close(): Promise<void>;
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
  const log = createLogger(options.log, { instance: instanceId });
  const storeFault = (what: string) => (error: unknown) => {
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
      if (!ready) return;
      authenticator.forgetDead();
      openCalls.cutRevoked();
      void reporter.report();
    },
    onFault: storeFault("follow"),
    onRecovered: () => log.info("the store can be read again"),
  });
  const tokenNow = steadyWallClock(clock);
  const realm = realmOf(store.control.storeId);
  const authenticator = new Authenticator({ follower, realm, tokenNow, wallNow: () => clock.now() });
  const openCalls = new OpenCalls(follower, authenticator);
  const recorder = new UsageRecorder({
    traffic: store.traffic,
    onFault: (error, held) => storeFault(`record usage, ${held} events held`)(error),
    onRecovered: (dropped) => log.info({ dropped }, "usage is stored again"),
  });
  const limiter = new Limiter({ store: store.traffic, holder: instanceId, windowMs: LIMIT_WINDOW_MS, bundles: true });
  const guessLimit = new GuessLimit(store.traffic, instanceId);
  const strangers = new StrangerLog(log);
  const proxy = new ReverseProxy({ clock: () => clock.monotonic() });

  const onError = (error: unknown, requestId: string): void => {
    log.error({ requestId, error: errorNameOf(error) }, "request failed");
  };
  const acts: ActDeps = { store, sealer, clock, actor: `gateway ${instanceId}` };
  const login = new Login({
    follower,
    authenticator,
    guessLimit,
    hashSlots: new HashSlots(),
    realm,
    tokenNow,
    noteToken: (issue) => recorder.noteToken(issue),
    onWeakHash: (client, password) => {
      rehashPassword(acts, client.name, client.passwordHash, password).catch(storeFault("rehash"));
    },
  });
  const meter = new CallMeter({ clock, recorder, instanceId, onRequest: () => reporter.countRequest() });
  const apiGate = new ApiGate({
    follower,
    authenticator,
    limiter,
    proxy,
    openCalls,
    meter,
    scheme: "http",
    onStranger: (code) => strangers.count(code),
    onError,
  });
  const app = createApp({
    login,
    apiGate,
    isReady: async () => state === "ready" && (await follower.isFresh()),
    onError,
  });

  await follower.start();
  const server = await listen({
    host: options.host,
    port: options.port,
    app,
    isDraining: () => state === "draining",
    onMalformed: (code) => strangers.count(code),
  }).catch(async (error: unknown) => {
    follower.stop();
    await proxy.close();
    throw error;
  });
  const reporter = new InstanceReporter({
    traffic: store.traffic,
    clock,
    identity: { id: instanceId, address: server.url, pid: options.pid, version: options.version },
    current: () => ({
      state: state === "ready" && follower.isFresh() === false ? "stale" : state,
      appliedRev: follower.rev,
      droppedUsage: recorder.dropped,
    }),
    onFault: storeFault("report"),
  });
  ready = true;
  recorder.start();
  strangers.start();
  await reporter.start();
  const sweep = setInterval(() => openCalls.cutRevoked(), EXPIRY_SWEEP_MS);
  const prune = setInterval(() => {
    limiter.prune();
    guessLimit.prune();
    void pruneStore(store).catch(storeFault("prune"));
  }, PRUNE_MS);
  log.info({ url: server.url, version: options.version, rev: follower.rev }, "gateway started");

  const close = async (): Promise<void> => {
    state = "draining";
    log.info({ openCalls: openCalls.size }, "draining");
    await reporter.report();
    await server.close({ lameDuckMs: LAME_DUCK_MS, drainMs: options.drainMs, cutOpenCalls: () => openCalls.cutAll() });
    clearInterval(sweep);
    clearInterval(prune);
    follower.stop();
    await proxy.close();
    await limiter.close();
    await guessLimit.close();
    const dropped = await recorder.close();
    await reporter.retire();
    strangers.close();
    log.info({ dropped }, "gateway stopped");
  };
  return { url: server.url, instanceId, close };
};

const pruneStore = async (store: Store): Promise<void> => {
  await store.traffic.prunePermitWindows(store.traffic.steadyNow());
};

/** Store faults are ours, worded without secrets; anything else only by its kind. */
const reasonOf = (error: unknown): string => (isStoreFault(error) ? error.message : errorNameOf(error));

const errorNameOf = (error: unknown): string => (error instanceof Error ? error.name : typeof error);
