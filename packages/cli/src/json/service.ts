import type { SeenInstance, Service } from "@aigw/core";
import {
  DEFAULT_CONNECT_TIMEOUT_MS,
  DEFAULT_IDLE_CONNECTION_MS,
  DEFAULT_MAX_HEAD_BYTES,
  type DownTarget,
  type HealthCheck,
  seenTargets,
  type TargetHealth,
} from "@aigw/core/services";
import { rfc3339 } from "../terminal/output/time.ts";

/** A service as scripts see it: the names of its headers, never their values. */
export interface ServiceJson {
  readonly id: string;
  readonly name: string;
  /** Of its first target. */
  readonly url: string;
  readonly targets: readonly TargetJson[];
  /** What clients are told while it is out of use; null while it is in use. */
  readonly disabled: string | null;
  readonly fallback: string | null;
  readonly health: HealthCheck | null;
  /** How many calls it takes at once; null: every one. */
  readonly concurrency: number | null;
  /** How many may wait, and for how long; null without a concurrency. */
  readonly queue: number | null;
  readonly queueWaitMs: number | null;
  readonly connectTimeoutMs: number;
  readonly idleConnectionMs: number;
  readonly maxHeadBytes: number;
  /** Certificates in PEM. */
  readonly ca: string | null;
  readonly clientCert: string | null;
  readonly serverName: string | null;
  /** `target`, `client`, or what is sent. */
  readonly hostHeader: string;
  readonly encodedSlash: "pass" | "refuse";
  readonly via: boolean;
  readonly timeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly headers: readonly string[];
  /** As `--cors-origins` takes it; null: the setting counts. */
  readonly corsOrigins: string | null;
  /** What clients are told of it. */
  readonly description: string | null;
  readonly example: string | null;
  readonly docsUrl: string | null;
  /** As `--meter` takes it. */
  readonly meter: string | null;
  /** Streams are asked for their totals. */
  readonly askUsage: boolean;
  /** As `--reserve` takes it. */
  readonly reserve: string | null;
  /** As `price set` takes them. */
  readonly prices: readonly PriceListJson[];
  /** How its calls become jobs; null: they do not. */
  readonly jobs: JobRulesJson | null;
  readonly createdAt: string;
}

export interface JobRulesJson {
  readonly keepMs: number;
  readonly retry: boolean;
  readonly callbackOrigins: readonly string[];
}

export interface PriceListJson {
  /** Null: every model. */
  readonly model: string | null;
  readonly prices: readonly string[];
}

export interface TargetJson {
  readonly url: string;
  readonly weight: number;
  /** `unknown` where no gateway was asked or none runs, `partly_down` when gateways differ. */
  readonly state: TargetHealth;
  /** RFC 3339; null when nobody knows. */
  readonly since: string | null;
  /** Of all gateways. */
  readonly openCalls: number;
  /** Why it is down; else null. */
  readonly reason: string | null;
}

/** @param gateways those that run, when they were looked for */
export const serviceJson = (service: Service, gateways: readonly SeenInstance[] = []): ServiceJson => ({
  id: service.id,
  name: service.name,
  url: service.url,
  targets: seenTargets(service, gateways).map(({ since, reason, ...target }) => ({
    ...target,
    since: since === undefined ? null : rfc3339(since),
    reason: reason ?? null,
  })),
  disabled: service.disabled ?? null,
  fallback: service.fallback ?? null,
  health: service.health ?? null,
  concurrency: service.queue?.concurrency ?? null,
  queue: service.queue?.most ?? null,
  queueWaitMs: service.queue?.waitMs ?? null,
  connectTimeoutMs: service.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
  idleConnectionMs: service.idleConnectionMs ?? DEFAULT_IDLE_CONNECTION_MS,
  maxHeadBytes: service.maxHeadBytes ?? DEFAULT_MAX_HEAD_BYTES,
  ca: service.ca ?? null,
  clientCert: service.clientCert ?? null,
  serverName: service.serverName ?? null,
  hostHeader: service.hostHeader ?? "target",
  encodedSlash: service.encodedSlash ?? "refuse",
  via: service.noVia !== true,
  timeoutMs: service.timeoutMs,
  idleTimeoutMs: service.idleTimeoutMs,
  headers: service.headers.map((header) => header.name),
  corsOrigins: service.corsOrigins ?? null,
  description: service.description ?? null,
  example: service.example ?? null,
  docsUrl: service.docsUrl ?? null,
  meter: service.meter ?? null,
  askUsage: service.askUsage === true,
  reserve: service.reserve ?? null,
  prices: (service.prices ?? []).map(({ model = null, prices }) => ({ model, prices })),
  jobs:
    service.jobs === undefined
      ? null
      : {
          keepMs: service.jobs.keepMs,
          retry: service.jobs.retry === true,
          callbackOrigins: service.jobs.callbackOrigins ?? [],
        },
  createdAt: rfc3339(service.createdAt),
});

/** A target that is down for one gateway at least. */
export interface DownTargetJson {
  readonly service: string;
  readonly url: string;
  readonly since: string;
  readonly reason: string | null;
  readonly gateways: number;
}

export const downTargetJson = ({ since, reason, ...target }: DownTarget): DownTargetJson => ({
  ...target,
  since: rfc3339(since),
  reason: reason ?? null,
});
