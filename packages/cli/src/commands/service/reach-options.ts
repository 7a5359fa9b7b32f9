import type { ReachPatch } from "@aigw/core/acts";
import {
  DEFAULT_CONNECT_TIMEOUT_MS,
  DEFAULT_IDLE_CONNECTION_MS,
  DEFAULT_MAX_HEAD_BYTES,
  parseConcurrency,
  parseDuration,
  parseHealthPath,
  parseHealthStatus,
  parseHostHeader,
  parseMaxHead,
  parseQueueLength,
  parseServerName,
  parseTargetWeight,
  parseUpstreamUrl,
} from "@aigw/core/services";
import { type Command, Option } from "commander";
import { UsageError } from "../../app/cli-error.ts";
import { collect } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { flag } from "../../app/flag.ts";
import { pemIn } from "./pem-in.ts";

/** How a service is reached, as the flags of `add` and `set` say it; false: as `--no-…` of `set` says. */
export interface ReachFlags {
  readonly weight?: NonNullable<ReachPatch["weights"]>;
  readonly healthPath?: string;
  readonly healthEvery?: number;
  readonly healthStatus?: string;
  readonly fallback?: string | false;
  /** Undefined for `none`. */
  readonly concurrency?: { readonly calls: number | undefined };
  readonly queue?: number;
  readonly queueWait?: number;
  readonly connectTimeout?: number;
  readonly idleConnection?: number;
  readonly maxHead?: number;
  readonly ca?: string | false;
  readonly clientCert?: string | false;
  readonly clientKey?: string;
  readonly serverName?: string | false;
  /** Undefined for `target`. */
  readonly hostHeader?: { readonly host: string | undefined };
  readonly encodedSlash?: "pass" | "refuse";
  readonly via?: boolean;
}

/** Those of `set` alone. */
export interface TargetFlags {
  readonly addTarget?: readonly string[];
  readonly removeTarget?: readonly string[];
  /** False with `--no-health`. */
  readonly health?: boolean;
}

const GROUPS = {
  targets: "Its targets:",
  queue: "How many calls it takes:",
  health: "Its targets' health:",
  tls: "TLS to the targets:",
  wire: "On the wire:",
  rest: "Options:",
} as const;

export const addReachOptions = (command: Command, ctx: Context): Command =>
  command
    .optionsGroup(GROUPS.targets)
    .option(
      "--weight <url=number>",
      "a target's part of the calls beside the others' (1), 1 to 100; repeatable",
      collect(flag("--weight", parseTargetWeight)),
    )
    .option("--fallback <service>", "the service that takes the calls while all targets are down")
    .optionsGroup(GROUPS.queue)
    .option(
      "--concurrency <number>",
      "so many calls at once, over all gateways, and the others wait in turn over clients; or none",
      flag("--concurrency", (value) => ({ calls: parseConcurrency(value) })),
    )
    .option("--queue <number>", "how many calls may wait (100), 0 to 100000", flag("--queue", parseQueueLength))
    .option(
      "--queue-wait <duration>",
      "how long a call waits before it is refused (30s)",
      flag("--queue-wait", (value) => parseDuration("time", value)),
    )
    .optionsGroup(GROUPS.health)
    .option(
      "--health-path <path>",
      "ask each target for this path, from its root; one that does not answer well takes no calls",
      flag("--health-path", parseHealthPath),
    )
    .option(
      "--health-every <duration>",
      "how often (5s)",
      flag("--health-every", (value) => parseDuration("interval", value)),
    )
    .option(
      "--health-status <statuses>",
      "what a good answer is (2xx): 200, 2xx, 200-399, or several",
      flag("--health-status", parseHealthStatus),
    )
    .optionsGroup(GROUPS.tls)
    .option("--ca <file>", "trust these authorities (PEM) and no others", (value) => pemIn("--ca", value, ctx.io.cwd))
    .option("--client-cert <file>", "show this certificate (PEM), with --client-key", (value) =>
      pemIn("--client-cert", value, ctx.io.cwd),
    )
    .option("--client-key <file>", "its private key (PEM), which is stored sealed", (value) =>
      pemIn("--client-key", value, ctx.io.cwd),
    )
    .option(
      "--server-name <name>",
      "the name that the certificate must hold, in place of the URL's",
      flag("--server-name", parseServerName),
    )
    .optionsGroup(GROUPS.wire)
    .option(
      "--host-header <target|client|name>",
      "the Host that targets get: their own (target), the one that the client called, or this",
      flag("--host-header", (value) => ({ host: parseHostHeader(value) })),
    )
    .addOption(
      new Option("--encoded-slash <what>", "%2F in a path, as in names of models").choices(["pass", "refuse"] as const),
    )
    .option(
      "--connect-timeout <duration>",
      "how long a connection may take to open (10s)",
      flag("--connect-timeout", (value) => parseDuration("connect timeout", value)),
    )
    .option(
      "--idle-connection <duration>",
      "how long a connection may rest before its next call (4s)",
      flag("--idle-connection", (value) => parseDuration("time", value)),
    )
    .option("--max-head <size>", "the largest head of an answer (16k), 4k to 256k", flag("--max-head", parseMaxHead))
    .optionsGroup(GROUPS.rest);

/** For `add`, where there is nothing to take back. */
export const addNoVia = (command: Command): Command =>
  command.optionsGroup(GROUPS.wire).option("--no-via", "do not name the gateway in Via").optionsGroup(GROUPS.rest);

export const addTargetOptions = (command: Command): Command =>
  command
    .optionsGroup(GROUPS.targets)
    .option(
      "--add-target <url>",
      "another place where it runs; repeatable",
      collect(flag("--add-target", parseUpstreamUrl)),
    )
    .option(
      "--remove-target <url>",
      "that one no more: its calls end as they began; repeatable",
      collect(flag("--remove-target", parseUpstreamUrl)),
    )
    .option("--no-fallback", "answer 503 while all targets are down")
    .optionsGroup(GROUPS.health)
    .option("--no-health", "ask for nobody's health")
    .optionsGroup(GROUPS.tls)
    .option("--no-ca", "trust the authorities of the gateway's machine")
    .option("--no-client-cert", "show no certificate")
    .option("--no-server-name", "look for the URL's name in the certificate")
    .optionsGroup(GROUPS.wire)
    .option("--via", "name the gateway in Via again")
    .option("--no-via", "do not name the gateway in Via")
    .optionsGroup(GROUPS.rest);

/** @throws UsageError for half of a certificate and its key */
export const reachOf = (flags: ReachFlags): ReachPatch => {
  const { weight, healthPath, healthEvery, healthStatus, fallback, ca, serverName, hostHeader, encodedSlash } = flags;
  const { connectTimeout, idleConnection, maxHead, via } = flags;
  const health = {
    ...(healthPath !== undefined && { path: healthPath }),
    ...(healthEvery !== undefined && { everyMs: healthEvery }),
    ...(healthStatus !== undefined && { status: healthStatus }),
  };
  const queue = queueOf(flags);
  const clientCertificate = certificateOf(flags);
  return {
    ...(weight !== undefined && { weights: weight }),
    ...(Object.keys(health).length > 0 && { health }),
    ...(queue !== undefined && { queue }),
    ...(fallback !== undefined && { fallback: fallback || null }),
    ...(ca !== undefined && { ca: ca || null }),
    ...(clientCertificate !== undefined && { clientCertificate }),
    ...(serverName !== undefined && { serverName: serverName || null }),
    ...(hostHeader !== undefined && { hostHeader: hostHeader.host ?? null }),
    ...(encodedSlash !== undefined && { encodedSlash: encodedSlash === "pass" ? encodedSlash : null }),
    ...(connectTimeout !== undefined && { connectTimeoutMs: unless(connectTimeout, DEFAULT_CONNECT_TIMEOUT_MS) }),
    ...(idleConnection !== undefined && { idleConnectionMs: unless(idleConnection, DEFAULT_IDLE_CONNECTION_MS) }),
    ...(maxHead !== undefined && { maxHeadBytes: unless(maxHead, DEFAULT_MAX_HEAD_BYTES) }),
    ...(via !== undefined && { noVia: via ? null : true }),
  };
};

const queueOf = ({ concurrency, queue, queueWait }: ReachFlags): ReachPatch["queue"] => {
  if (concurrency !== undefined && concurrency.calls === undefined) {
    if (queue === undefined && queueWait === undefined) return null;
    throw new UsageError("--concurrency none takes every call: nothing waits, so give no --queue and no --queue-wait.");
  }
  if (concurrency === undefined && queue === undefined && queueWait === undefined) return undefined;
  return {
    ...(concurrency?.calls !== undefined && { concurrency: concurrency.calls }),
    ...(queue !== undefined && { most: queue }),
    ...(queueWait !== undefined && { waitMs: queueWait }),
  };
};

const unless = (value: number, usual: number): number | null => (value === usual ? null : value);

const certificateOf = ({ clientCert, clientKey }: ReachFlags): ReachPatch["clientCertificate"] => {
  if (clientCert === undefined && clientKey === undefined) return undefined;
  if (clientCert === false) return null;
  if (clientCert !== undefined && clientKey !== undefined) return { cert: clientCert, key: clientKey };
  throw new UsageError("--client-cert and --client-key go together: give both.");
};

export const targetPatchOf = (flags: TargetFlags): ReachPatch => ({
  ...(flags.addTarget !== undefined && { addTargets: flags.addTarget }),
  ...(flags.removeTarget !== undefined && { removeTargets: flags.removeTarget }),
  ...(flags.health === false && { health: null }),
});
