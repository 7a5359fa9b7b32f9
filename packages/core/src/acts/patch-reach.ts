import { AigwError } from "../errors.ts";
import {
  parseCertificates,
  parseClientKey,
  parseDisabledMessage,
  parseHealthPath,
  parseHealthStatus,
} from "../services/parse-reach.ts";
import { parseUpstreamUrl } from "../services/parse-service.ts";
import {
  DEFAULT_QUEUE,
  DEFAULT_QUEUE_WAIT_MS,
  type HealthCheck,
  type QueueSettings,
  type Reach,
  type Target,
  targetsOf,
} from "../services/reach.ts";
import type { Service } from "../services/service.ts";
import type { ActDeps } from "./commit.ts";

/** Absent leaves a field as it is; null makes it as it comes. */
export interface ReachPatch {
  /** In place of the only target. */
  readonly url?: string;
  readonly addTargets?: readonly string[];
  readonly removeTargets?: readonly string[];
  readonly weights?: readonly { readonly url: string; readonly weight: number }[];
  /** Targets to which no new call goes, and to which calls go again. */
  readonly drain?: readonly string[];
  readonly undrain?: readonly string[];
  /** Absent parts stay; with a path alone, every 5 s and 2xx. */
  readonly health?: Partial<HealthCheck> | null;
  /** Absent parts stay; with a concurrency alone, 100 wait for 30 s. */
  readonly queue?: Partial<QueueSettings> | null;
  /** A message for clients, which may be empty. */
  readonly disabled?: string | null;
  readonly fallback?: string | null;
  readonly connectTimeoutMs?: number | null;
  readonly idleConnectionMs?: number | null;
  readonly maxHeadBytes?: number | null;
  /** PEM. */
  readonly ca?: string | null;
  /** Both in PEM; the key is sealed before it is stored. */
  readonly clientCertificate?: { readonly cert: string; readonly key: string } | null;
  readonly serverName?: string | null;
  readonly hostHeader?: string | null;
  readonly encodedSlash?: "pass" | null;
  readonly noVia?: true | null;
}

const DEFAULT_HEALTH_EVERY_MS = 5_000;
const DEFAULT_HEALTH_STATUS = "2xx";
const MAX_TARGETS = 64;

/** The parts of a service that {@link Reach} has, in the order in which they are kept. */
type Reached = Pick<Service, "url"> & Reach;

/** @returns a service without what {@link Reach} has, for {@link patchReach} to put it back as it is from then on */
export const withoutReach = <S extends Service>(service: S): Omit<S, keyof Reach> => {
  const {
    targets: _targets,
    health: _health,
    queue: _queue,
    disabled: _disabled,
    fallback: _fallback,
    connectTimeoutMs: _connectTimeoutMs,
    idleConnectionMs: _idleConnectionMs,
    maxHeadBytes: _maxHeadBytes,
    ca: _ca,
    clientCert: _clientCert,
    sealedClientKey: _sealedClientKey,
    serverName: _serverName,
    hostHeader: _hostHeader,
    encodedSlash: _encodedSlash,
    noVia: _noVia,
    ...rest
  } = service;
  return rest;
};

/** @throws AigwError `invalid_value`, `not_found` for a target that there is not */
export const patchReach = (
  { sealer }: Pick<ActDeps, "sealer">,
  name: string,
  before: Reached,
  patch: ReachPatch,
): Reached => {
  const targets = patchTargets(name, targetsOf(before), patch);
  const [first] = targets;
  if (first === undefined) throw new AigwError("invalid_value", `The last target of ${name} cannot be removed.`);
  const isPlain = targets.length === 1 && first.weight === undefined && first.drained === undefined;
  const disabled = pick(before.disabled, patch.disabled, parseDisabledMessage);
  const health = patchHealth(before.health, patch.health);
  const queue = patchQueue(before.queue, patch.queue);
  return {
    url: first.url,
    ...(!isPlain && { targets }),
    ...(health !== undefined && { health }),
    ...(queue !== undefined && { queue }),
    ...(disabled !== undefined && { disabled }),
    ...kept("fallback", pick(before.fallback, patch.fallback)),
    ...kept("connectTimeoutMs", pick(before.connectTimeoutMs, patch.connectTimeoutMs)),
    ...kept("idleConnectionMs", pick(before.idleConnectionMs, patch.idleConnectionMs)),
    ...kept("maxHeadBytes", pick(before.maxHeadBytes, patch.maxHeadBytes)),
    ...kept(
      "ca",
      pick(before.ca, patch.ca, (pem) => parseCertificates("the authority's certificate", pem)),
    ),
    ...patchClientCertificate(sealer, before, patch.clientCertificate),
    ...kept("serverName", pick(before.serverName, patch.serverName)),
    ...kept("hostHeader", pick(before.hostHeader, patch.hostHeader)),
    ...kept("encodedSlash", pick(before.encodedSlash, patch.encodedSlash)),
    ...kept("noVia", pick(before.noVia, patch.noVia)),
  };
};

const pick = <T>(before: T | undefined, given: T | null | undefined, parse: (value: T) => T = (value) => value) =>
  given === undefined ? before : given === null ? undefined : parse(given);

const kept = <K extends keyof Reach>(key: K, value: Reach[K] | undefined): Partial<Pick<Reach, K>> =>
  value === undefined ? {} : ({ [key]: value } as Pick<Reach, K>);

const patchHealth = (before: HealthCheck | undefined, given: ReachPatch["health"]): HealthCheck | undefined => {
  if (given === undefined) return before;
  if (given === null) return undefined;
  const path = given.path ?? before?.path;
  if (path === undefined) {
    throw new AigwError("invalid_value", "There is no health check to change: give its path with --health-path.");
  }
  return {
    path: parseHealthPath(path),
    everyMs: given.everyMs ?? before?.everyMs ?? DEFAULT_HEALTH_EVERY_MS,
    status: parseHealthStatus(given.status ?? before?.status ?? DEFAULT_HEALTH_STATUS),
  };
};

const patchQueue = (before: QueueSettings | undefined, given: ReachPatch["queue"]): QueueSettings | undefined => {
  if (given === undefined) return before;
  if (given === null) return undefined;
  const concurrency = given.concurrency ?? before?.concurrency;
  if (concurrency === undefined) {
    throw new AigwError(
      "invalid_value",
      "Nothing waits for a service that takes every call: say with --concurrency how many it takes at once.",
    );
  }
  return {
    concurrency,
    most: given.most ?? before?.most ?? DEFAULT_QUEUE,
    waitMs: given.waitMs ?? before?.waitMs ?? DEFAULT_QUEUE_WAIT_MS,
  };
};

const patchClientCertificate = (
  sealer: ActDeps["sealer"],
  { clientCert, sealedClientKey }: Reach,
  given: ReachPatch["clientCertificate"],
): Pick<Reach, "clientCert" | "sealedClientKey"> => {
  if (given === null) return {};
  if (given === undefined) return { ...kept("clientCert", clientCert), ...kept("sealedClientKey", sealedClientKey) };
  const cert = parseCertificates("the client's certificate", given.cert);
  const key = parseClientKey(given.key, cert);
  return { clientCert: cert, sealedClientKey: sealer.seal("client-key", Buffer.from(key)) };
};

const patchTargets = (name: string, before: readonly Target[], patch: ReachPatch): readonly Target[] => {
  let targets = before;
  if (patch.url !== undefined) {
    if (before.length > 1) {
      throw new AigwError(
        "invalid_value",
        `${name} has ${before.length} targets. Change them one by one: aigw service set ${name} --add-target <url> --remove-target <url>`,
      );
    }
    targets = [{ ...before[0], url: parseUpstreamUrl(patch.url) }];
  }
  for (const given of patch.addTargets ?? []) {
    const url = parseUpstreamUrl(given);
    if (!targets.some((target) => target.url === url)) targets = [...targets, { url }];
  }
  if (targets.length > MAX_TARGETS) {
    throw new AigwError("invalid_value", `A service has ${MAX_TARGETS} targets at most.`);
  }
  for (const given of patch.removeTargets ?? []) {
    const { url } = findTarget(name, targets, given);
    targets = targets.filter((target) => target.url !== url);
  }
  for (const { url: given, weight } of patch.weights ?? []) {
    targets = changed(name, targets, given, ({ weight: _before, ...target }) =>
      weight === 1 ? target : { ...target, weight },
    );
  }
  for (const given of patch.undrain ?? []) {
    targets = changed(name, targets, given, ({ drained: _before, ...target }) => target);
  }
  for (const given of patch.drain ?? []) {
    targets = changed(name, targets, given, (target) => ({ ...target, drained: true }));
  }
  const isDraining = patch.drain !== undefined || patch.removeTargets !== undefined;
  if (isDraining && targets.length > 0 && targets.every(({ drained }) => drained)) {
    throw new AigwError(
      "invalid_value",
      `No target of ${name} would be left to take calls. To take the service out of use: aigw service disable ${name} --message <text>`,
    );
  }
  return targets;
};

const changed = (
  name: string,
  targets: readonly Target[],
  given: string,
  change: (target: Target) => Target,
): readonly Target[] => {
  const { url } = findTarget(name, targets, given);
  return targets.map((target) => (target.url === url ? change(target) : target));
};

const findTarget = (name: string, targets: readonly Target[], given: string): Target => {
  const url = parseUpstreamUrl(given);
  const found = targets.find((target) => target.url === url);
  if (found !== undefined) return found;
  throw new AigwError(
    "not_found",
    `${name} has no target ${url}. Its targets: ${targets.map((one) => one.url).join(", ")}`,
    {
      details: { name, url },
    },
  );
};
