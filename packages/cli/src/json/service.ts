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
  readonly createdAt: string;
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
  createdAt: rfc3339(service.createdAt),
});
