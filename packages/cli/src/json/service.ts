import type { Service } from "@aigw/core";
import { rfc3339 } from "../terminal/output/time.ts";

/** A service as scripts see it: the names of its headers, never their values. */
export interface ServiceJson {
  readonly id: string;
  readonly name: string;
  readonly url: string;
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

export const serviceJson = (service: Service): ServiceJson => ({
  id: service.id,
  name: service.name,
  url: service.url,
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
