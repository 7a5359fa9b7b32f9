import type { Effect, Service } from "@aigw/core";
import { traceOf } from "@aigw/core/changes";
import { type Client, limitOf } from "@aigw/core/clients";
import { formatDuration, rfc3339 } from "../../terminal/output/time.ts";

/** What may be told of a subject, by name. */
export type Facts = ReadonlyMap<string, Fact>;

export interface Fact {
  /** Compared, never shown. */
  readonly value: string;
  readonly shown: string;
  /** True: that it changed is told, not how. */
  readonly secret?: boolean;
}

/** The facts of a client or service as they are from then on; none for other subjects. */
export const factsOf = ({ after }: Effect): Facts | "purged" => {
  if (typeof after !== "object" || after === null) return new Map();
  if ("purged" in after) return "purged";
  if ("passwordHash" in after) return clientFacts(after);
  return "timeoutMs" in after ? serviceFacts(after) : new Map();
};

const plain = (value: string | undefined): readonly Fact[] => (value === undefined ? [] : [{ value, shown: value }]);

const named = (entries: readonly (readonly [string, readonly Fact[]])[]): Facts =>
  new Map(entries.flatMap(([name, facts]) => facts.map((fact) => [name, fact] as const)));

const clientFacts = (client: Client): Facts =>
  named([
    ["services", plain(client.services?.join(",") ?? "all")],
    ["limit", plain(String(limitOf(client)))],
    ["expires", plain(client.expiresAt === undefined ? undefined : rfc3339(client.expiresAt))],
    ["e-mail", plain(client.email)],
    ["display name", plain(client.displayName)],
    ["note", plain(client.note)],
  ]);

const serviceFacts = (service: Service): Facts =>
  named([
    ["url", plain(service.url)],
    ["timeout", plain(formatDuration(service.timeoutMs))],
    ["idle timeout", plain(formatDuration(service.idleTimeoutMs))],
    ["CORS origins", plain(service.corsOrigins)],
    ["description", plain(service.description)],
    ["example", service.example === undefined ? [] : [{ value: service.example, shown: "given", secret: true }]],
    ["documentation", plain(service.docsUrl)],
    ...service.headers.map(
      ({ name, sealedValue }) =>
        [`header ${name}`, [{ value: traceOf(sealedValue), shown: "sealed", secret: true }]] as const,
    ),
  ]);
