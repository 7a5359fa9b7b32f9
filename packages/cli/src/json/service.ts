import type { SeenInstance, Service } from "@aigw/core";
import { seenTargets, type TargetHealth } from "@aigw/core/services";
import { rfc3339 } from "../terminal/output/time.ts";

/** A service as scripts see it: the names of its headers, never their values. */
export interface ServiceJson {
  readonly id: string;
  readonly name: string;
  /** Of its first target. */
  readonly url: string;
  readonly targets: readonly TargetJson[];
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
  readonly createdAt: string;
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
  createdAt: rfc3339(service.createdAt),
});
