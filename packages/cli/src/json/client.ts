import { type Client, type ClientStanding, standingOf } from "@aigw/core/clients";
import { type Plan, termsAmong } from "@aigw/core/plans";
import { rfc3339 } from "../terminal/output/time.ts";

/** A client as scripts see it: every field always there, and never a hash. */
export interface ClientJson {
  readonly id: string;
  readonly name: string;
  readonly email: string | null;
  readonly displayName: string | null;
  readonly note: string | null;
  /** The plan's name. */
  readonly plan: string | null;
  /** As its plan or its own record says; null: all. */
  readonly services: readonly string[] | null;
  readonly limit: number;
  /** As `--quota` takes it; null: none. */
  readonly quotas: string | null;
  readonly weight: number;
  readonly expiresAt: string | null;
  readonly status: ClientStanding;
  readonly createdAt: string;
  readonly passwordChangedAt: string;
  readonly revokedAt: string | null;
  /** When the quick start was seen to work with the present password; null: never. */
  readonly provenAt: string | null;
}

/** @param plans those that there are, or none where the client is on none */
export const clientJson = (client: Client, now: number, plans: ReadonlyMap<string, Plan>): ClientJson => {
  const { limit, services, quota, weight } = termsAmong(client, plans);
  return {
    id: client.id,
    name: client.name,
    email: client.email ?? null,
    displayName: client.displayName ?? null,
    note: client.note ?? null,
    plan: client.plan ?? null,
    services: services ?? null,
    limit,
    quotas: quota ?? null,
    weight,
    expiresAt: client.expiresAt === undefined ? null : rfc3339(client.expiresAt),
    status: standingOf(client, now),
    createdAt: rfc3339(client.createdAt),
    passwordChangedAt: rfc3339(client.passwordChangedAt),
    revokedAt: client.revokedAt === undefined ? null : rfc3339(client.revokedAt),
    provenAt: client.provenAt === undefined ? null : rfc3339(client.provenAt),
  };
};
