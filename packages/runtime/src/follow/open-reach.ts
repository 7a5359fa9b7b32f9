import type { Sealer, Service } from "@aigw/core";
import { splitUrl, targetsOf, weightOf } from "@aigw/core/services";
import type { Upstream, UpstreamTarget } from "../proxy/call.ts";
import type { ConnectionFacts } from "../proxy/upstream/connector.ts";

/**
 * What the proxy is given of how a service is reached, its secrets opened.
 * @param upstreamOf another service, as it is when it is asked for
 */
export const openReach = (
  sealer: Sealer,
  service: Service,
  upstreamOf: (name: string) => Upstream | undefined,
): Pick<Upstream, "origin" | "basePath"> & Partial<Upstream> => {
  const { id, name, fallback, queue, health, disabled, hostHeader, encodedSlash, noVia } = service;
  const connection = connectionFacts(sealer, service);
  return {
    service: name,
    ...splitUrl(service.url),
    ...(service.targets && { targets: targetsOf(service).map(openTarget) }),
    ...(connection && { connection }),
    ...(hostHeader === "client" && { sendsClientHost: true }),
    ...(noVia && { noVia }),
    ...(encodedSlash === "pass" && { passesEncodedSlash: true }),
    ...(health && { health }),
    ...(queue && { queue: { key: id, ...queue } }),
    ...(disabled !== undefined && { disabled }),
    ...(fallback !== undefined && { fallback: () => upstreamOf(fallback) }),
  };
};

const openTarget = (target: ReturnType<typeof targetsOf>[number]): UpstreamTarget => ({
  url: target.url,
  ...splitUrl(target.url),
  weight: weightOf(target),
  isDrained: target.drained === true,
});

/**
 * @param sealer without one the gateway's own certificate is left out
 * @returns undefined when all is as it comes
 */
export const connectionFacts = (sealer: Sealer | undefined, service: Service): ConnectionFacts | undefined => {
  const { connectTimeoutMs, idleConnectionMs, maxHeadBytes, ca, clientCert, sealedClientKey, serverName, hostHeader } =
    service;
  const facts: ConnectionFacts = {
    ...(connectTimeoutMs !== undefined && { openTimeoutMs: connectTimeoutMs }),
    ...(idleConnectionMs !== undefined && { idleMs: idleConnectionMs }),
    ...(maxHeadBytes !== undefined && { maxHeadBytes }),
    ...(ca !== undefined && { ca }),
    ...(clientCert !== undefined && sealer !== undefined && { clientCert }),
    ...(sealedClientKey !== undefined && sealer !== undefined && { clientKey: openClientKey(sealer, sealedClientKey) }),
    ...(serverName !== undefined && { serverName }),
    ...(hostHeader !== undefined && hostHeader !== "client" && { authority: hostHeader }),
  };
  return Object.keys(facts).length === 0 ? undefined : facts;
};

const openClientKey = (sealer: Sealer, sealed: string): string =>
  Buffer.from(sealer.open("client-key", sealed)).toString("utf8");
