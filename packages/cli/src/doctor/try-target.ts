import { randomUUID } from "node:crypto";
import type { Sealer, Service } from "@aigw/core";
import { openHeaders, splitUrl } from "@aigw/core/services";
import type { TrialResult } from "@aigw/runtime/probe";

export type { TrialResult } from "@aigw/runtime/probe";

export interface Trial {
  readonly method: string;
  /** What stands behind `/api/<service>`: empty, or starting with `/` or `?`. */
  readonly rest: string;
  readonly content: Buffer | undefined;
  readonly contentType: string;
  /** Whose call it is; empty: nobody's. */
  readonly client: string;
}

/** One request to one target of a service, with the service's own key, as the gateway would send it. Never throws. */
export const tryTarget = async (
  sealer: Sealer,
  service: Service,
  url: string,
  { method, rest, content, contentType, client }: Trial,
): Promise<TrialResult> => {
  const { connectionFacts, trialCall } = await import("@aigw/runtime/probe");
  const { origin, basePath } = splitUrl(url);
  const target = basePath + rest;
  return trialCall({
    origin,
    target: target.startsWith("/") ? target : `/${target}`,
    method,
    fields: [
      "User-Agent",
      "aigw-test",
      "Accept",
      "*/*",
      ...(content === undefined ? [] : ["Content-Type", contentType]),
      ...(client === "" ? [] : ["X-Client-ID", client]),
      "X-Request-ID",
      randomUUID(),
      ...(service.noVia ? [] : ["Via", "1.1 aigw"]),
      "X-Forwarded-Prefix",
      `/api/${service.name}`,
      ...openHeaders(sealer, service).flat(),
    ],
    content,
    host: undefined,
    facts: connectionFacts(sealer, service),
    timeoutMs: service.timeoutMs,
    idleTimeoutMs: service.idleTimeoutMs,
  });
};
