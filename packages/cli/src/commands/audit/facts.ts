import type { Effect, Plan, Service } from "@aigw/core";
import { traceOf } from "@aigw/core/changes";
import { type Client, DEFAULT_LIMIT, type Grant } from "@aigw/core/clients";
import { grantInWords } from "@aigw/core/quotas";
import { jobsInWords } from "../../terminal/output/job-rules.ts";
import { formatDuration, rfc3339 } from "../../terminal/output/time.ts";
import { times } from "../../terminal/output/words.ts";

/** What may be told of a subject, by name. */
export type Facts = ReadonlyMap<string, Fact>;

export interface Fact {
  /** Compared, never shown. */
  readonly value: string;
  readonly shown: string;
  /** True: that it changed is told, not how. */
  readonly secret?: boolean;
}

/** The facts of a client, service or plan as they are from then on; none for other subjects. */
export const factsOf = ({ after }: Effect): Facts | "purged" => {
  if (typeof after !== "object" || after === null) return new Map();
  if ("purged" in after) return "purged";
  if ("passwordHash" in after) return clientFacts(after);
  if ("timeoutMs" in after) return serviceFacts(after);
  return "name" in after ? planFacts(after) : new Map();
};

const plain = (value: string | undefined): readonly Fact[] => (value === undefined ? [] : [{ value, shown: value }]);

const named = (entries: readonly (readonly [string, readonly Fact[]])[]): Facts =>
  new Map(entries.flatMap(([name, facts]) => facts.map((fact) => [name, fact] as const)));

const clientFacts = (client: Client): Facts =>
  named([
    ["plan", plain(client.plan)],
    // What is not its own is the plan's, which has a record of its own.
    ["services", plain(client.services?.join(",") ?? (client.plan === undefined ? "all" : undefined))],
    ["limit", plain((client.limit ?? (client.plan === undefined ? DEFAULT_LIMIT : undefined))?.toString())],
    ["quota", plain(client.quota)],
    ["granted", plain(client.grants?.map(grantWithEnd).join(", ") || undefined)],
    ["quotas made to start anew", plain(client.quotaResets === undefined ? undefined : times(client.quotaResets))],
    ["weight", plain(client.weight?.toString())],
    ["expires", plain(client.expiresAt === undefined ? undefined : rfc3339(client.expiresAt))],
    ["e-mail", plain(client.email)],
    ["display name", plain(client.displayName)],
    ["note", plain(client.note)],
  ]);

const grantWithEnd = (grant: Grant): string =>
  `${grantInWords(grant)} until ${rfc3339(grant.until)}${grant.note === undefined ? "" : ` (${grant.note})`}`;

const planFacts = (plan: Plan): Facts =>
  named([
    ["services", plain(plan.services?.join(","))],
    ["limit", plain(plan.limit?.toString())],
    ["quota", plain(plan.quota)],
    ["weight", plain(plan.weight?.toString())],
  ]);

const reachFacts = (service: Service): readonly (readonly [string, readonly Fact[]])[] => {
  const { targets, health, queue, ca, clientCert, sealedClientKey, connectTimeoutMs, idleConnectionMs, maxHeadBytes } =
    service;
  const secret = (value: string | undefined, shown: string): readonly Fact[] =>
    value === undefined ? [] : [{ value, shown, secret: true }];
  return [
    ["targets", plain(targets?.map(targetWords).join(", "))],
    ["out of use", plain(service.disabled)],
    ["fallback", plain(service.fallback)],
    ["at once", plain(queue?.concurrency.toString())],
    ["queue", plain(queue && `${queue.most} for ${formatDuration(queue.waitMs)}`)],
    ["health", plain(health && `${health.path} every ${formatDuration(health.everyMs)}: ${health.status}`)],
    ["connect timeout", plain(durationWords(connectTimeoutMs))],
    ["idle connection", plain(durationWords(idleConnectionMs))],
    ["largest head", plain(maxHeadBytes?.toString())],
    ["authority", secret(ca, "given")],
    ["client certificate", secret(clientCert, "given")],
    ["client key", secret(sealedClientKey && traceOf(sealedClientKey), "sealed")],
    ["server name", plain(service.serverName)],
    ["Host", plain(service.hostHeader)],
    ["encoded slash", plain(service.encodedSlash)],
    ["Via", plain(service.noVia && "not named")],
  ];
};

const durationWords = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : formatDuration(ms);

const targetWords = ({ url, weight, drained }: NonNullable<Service["targets"]>[number]): string =>
  url + (weight === undefined ? "" : ` (weight ${weight})`) + (drained ? " (drained)" : "");

const serviceFacts = (service: Service): Facts =>
  named([
    ["url", plain(service.url)],
    ...reachFacts(service),
    ["timeout", plain(formatDuration(service.timeoutMs))],
    ["idle timeout", plain(formatDuration(service.idleTimeoutMs))],
    ["CORS origins", plain(service.corsOrigins)],
    ["description", plain(service.description)],
    ["example", service.example === undefined ? [] : [{ value: service.example, shown: "given", secret: true }]],
    ["documentation", plain(service.docsUrl)],
    ["meter", plain(service.meter)],
    ["asks for totals", plain(service.askUsage === true ? "yes" : undefined)],
    ["reserve", plain(service.reserve)],
    ["jobs", plain(jobsInWords(service) || undefined)],
    ...(service.prices ?? []).map(
      ({ model, prices }) => [model === undefined ? "prices" : `prices of ${model}`, plain(prices.join(" "))] as const,
    ),
    ...service.headers.map(
      ({ name, sealedValue }) =>
        [`header ${name}`, [{ value: traceOf(sealedValue), shown: "sealed", secret: true }]] as const,
    ),
  ]);
