/** One place where a service runs. */
export interface Target {
  /** As {@link Service.url}. */
  readonly url: string;
  /** Its part of the calls beside the others', 1 to 100; absent: 1. */
  readonly weight?: number;
  /** No new call goes to it; those under way end as they would. */
  readonly drained?: true;
}

/** Asked of each target from time to time, apart from the calls. */
export interface HealthCheck {
  /** From the root of the target, not below its base path. */
  readonly path: string;
  readonly everyMs: number;
  /** The statuses that mean health, in the form of parseHealthStatus. */
  readonly status: string;
}

/** How many calls are with a service at once, over all gateways, and how the others wait; see docs/decisions/091. */
export interface QueueSettings {
  /** At once at the service, 1 to 10,000. */
  readonly concurrency: number;
  /** Waiting, at most; 0 to 100,000. */
  readonly most: number;
  /** How long a call waits, milliseconds. */
  readonly waitMs: number;
}

/** How a service is reached; everything that is absent is as it comes. */
export interface Reach {
  /** Absent: the service's `url` alone. Else at least one, each `url` once, and the first one's is the service's. */
  readonly targets?: readonly Target[];
  readonly health?: HealthCheck;
  /** Absent: as many calls as there are go there at once. */
  readonly queue?: QueueSettings;
  /** What clients are told while it is out of service; may be empty. */
  readonly disabled?: string;
  /** The name of the service that takes its calls while all of its targets are down. */
  readonly fallback?: string;
  /** Name look-up, connection and TLS handshake, milliseconds. */
  readonly connectTimeoutMs?: number;
  /** How long a connection may rest before it is used again, milliseconds. */
  readonly idleConnectionMs?: number;
  /** The most that the head of an answer may have. */
  readonly maxHeadBytes?: number;
  /** Certificates in PEM that are trusted, in place of the system's. */
  readonly ca?: string;
  /** What the gateway shows of itself, in PEM. */
  readonly clientCert?: string;
  /** Its private key in PEM, sealed with the master key for the purpose `client-key`. */
  readonly sealedClientKey?: string;
  /** Asked for in TLS and looked for in the certificate, in place of the name in the URL. */
  readonly serverName?: string;
  /** `client`: the Host that the client called; else the one that is sent. Absent: that of the target's URL. */
  readonly hostHeader?: string;
  /** `%2F` in a path is forwarded. */
  readonly encodedSlash?: "pass";
  /** The gateway does not name itself in `Via`. */
  readonly noVia?: true;
}

export const DEFAULT_QUEUE = 100;
export const DEFAULT_QUEUE_WAIT_MS = 30_000;
export const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
/** Shorter than the common servers' 5 s and more: whoever closes an idle connection, it should be us. */
export const DEFAULT_IDLE_CONNECTION_MS = 4_000;
/** Node's own limit for requests. */
export const DEFAULT_MAX_HEAD_BYTES: number = 16 * 1024;

/** All of a service's targets, in the order in which they were added. */
export const targetsOf = ({ url, targets }: { readonly url: string } & Reach): readonly Target[] =>
  targets ?? [{ url }];

export const weightOf = ({ weight = 1 }: Target): number => weight;

const UNIX = /^unix:([^:]+)(?::(\/.*))?$/;

export interface SplitUrl {
  /** `http://127.0.0.1:9000`, or `unix:/run/ocr.sock`. */
  readonly origin: string;
  /** Starts with `/` or is empty; no trailing slash. */
  readonly basePath: string;
}

/** @param url as parseUpstreamUrl makes it */
export const splitUrl = (url: string): SplitUrl => {
  const [, path, base = ""] = UNIX.exec(url) ?? [];
  if (path !== undefined) return { origin: `unix:${path}`, basePath: base };
  const { origin, pathname } = new URL(url);
  return { origin, basePath: pathname.replace(/\/+$/, "") };
};

/** The path of the socket that an origin names; undefined for one on the network. */
export const socketOf = (origin: string): string | undefined =>
  origin.startsWith("unix:") ? origin.slice("unix:".length) : undefined;
