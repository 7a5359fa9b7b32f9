import { type Client, type ClientStanding, limitOf, standingOf } from "@aigw/core/clients";
import { rfc3339 } from "../terminal/output/time.ts";

/** A client as scripts see it: every field always there, and never a hash. */
export interface ClientJson {
  readonly id: string;
  readonly name: string;
  readonly email: string | null;
  readonly displayName: string | null;
  readonly note: string | null;
  /** Null: all. */
  readonly services: readonly string[] | null;
  readonly limit: number;
  readonly expiresAt: string | null;
  readonly status: ClientStanding;
  readonly createdAt: string;
  readonly passwordChangedAt: string;
  readonly revokedAt: string | null;
  /** When the quick start was seen to work with the present password; null: never. */
  readonly provenAt: string | null;
}

export const clientJson = (client: Client, now: number): ClientJson => ({
  id: client.id,
  name: client.name,
  email: client.email ?? null,
  displayName: client.displayName ?? null,
  note: client.note ?? null,
  services: client.services ?? null,
  limit: limitOf(client),
  expiresAt: client.expiresAt === undefined ? null : rfc3339(client.expiresAt),
  status: standingOf(client, now),
  createdAt: rfc3339(client.createdAt),
  passwordChangedAt: rfc3339(client.passwordChangedAt),
  revokedAt: client.revokedAt === undefined ? null : rfc3339(client.revokedAt),
  provenAt: client.provenAt === undefined ? null : rfc3339(client.provenAt),
});
