import type { Terms } from "@aigw/core";
import { type Client, type ClientStanding, standingOf } from "@aigw/core/clients";

export interface ListedClient {
  readonly client: Client;
  /** Undefined: nobody asks for them. */
  readonly terms: Terms | undefined;
  readonly standing: ClientStanding;
  /** Milliseconds since the epoch; undefined: never; null: nobody has looked, or it could not be read. */
  readonly lastCallAt: number | null | undefined;
}

export interface ClientFilter {
  readonly status?: readonly string[];
  /** Those that may call it. */
  readonly service?: string;
  /** Those that are on it. */
  readonly plan?: string;
  /** Those that have not called for so long, milliseconds; who never called counts from when it was added. */
  readonly idle?: number;
}

/** What clients may do in the end: loaded for those who ask for it. */
export interface TermsReader {
  readonly termsOf: (client: Client) => Terms;
  readonly mayCall: (terms: Terms, service: string) => boolean;
}

/**
 * @param terms undefined: neither shown, nor filtered or sorted by
 * @param lastUsage when each name was last recorded, milliseconds since the epoch; undefined: not known
 */
export const listedClients = (
  clients: readonly Client[],
  terms: TermsReader | undefined,
  lastUsage: ReadonlyMap<string, number> | undefined,
  now: number,
): readonly ListedClient[] =>
  clients.map((client) => {
    const last = lastUsage?.get(client.name);
    // A call before its time was made by another client of the same name.
    const own = last !== undefined && last >= client.createdAt ? last : undefined;
    return {
      client,
      terms: terms?.termsOf(client),
      standing: standingOf(client, now),
      lastCallAt: lastUsage === undefined ? null : own,
    };
  });

export const matching = (
  listed: readonly ListedClient[],
  { status, service, plan, idle }: ClientFilter,
  reader: TermsReader | undefined,
  now: number,
): readonly ListedClient[] =>
  listed.filter(
    ({ client, terms, standing, lastCallAt }) =>
      (status === undefined || status.includes(standing)) &&
      (service === undefined || (terms !== undefined && reader?.mayCall(terms, service) === true)) &&
      (plan === undefined || client.plan === plan) &&
      (idle === undefined || now - (lastCallAt ?? client.createdAt) >= idle),
  );

type Order = (one: ListedClient, other: ListedClient) => number;

const byName: Order = ({ client: { name: one } }, { client: { name: other } }) => (one < other ? -1 : 1);
export const STANDINGS: readonly ClientStanding[] = ["active", "expired", "revoked"];

export type Sort = "name" | "last-call" | "created" | "expires" | "limit" | "status";

/** What an admin looks for comes first: the latest call, the newest client, the nearest end, the highest limit. */
const ORDERS: Readonly<Record<Sort, Order>> = {
  name: byName,
  "last-call": (one, other) => (other.lastCallAt ?? 0) - (one.lastCallAt ?? 0),
  created: (one, other) => other.client.createdAt - one.client.createdAt,
  expires: (one, other) => end(one) - end(other),
  limit: (one, other) => (other.terms?.limit ?? 0) - (one.terms?.limit ?? 0),
  status: (one, other) => STANDINGS.indexOf(one.standing) - STANDINGS.indexOf(other.standing),
};
export const SORTS: readonly Sort[] = Object.keys(ORDERS) as Sort[];

const end = ({ client }: ListedClient): number => client.expiresAt ?? Number.MAX_SAFE_INTEGER;

/** What is alike goes by name. */
export const sorted = (listed: readonly ListedClient[], sort: Sort): readonly ListedClient[] =>
  listed.toSorted((one, other) => ORDERS[sort](one, other) || byName(one, other));

export interface Totals extends Readonly<Record<ClientStanding, number>> {
  readonly clients: number;
}

export const totalsOf = (listed: readonly ListedClient[]): Totals => {
  const count = (wanted: ClientStanding): number => listed.filter(({ standing }) => standing === wanted).length;
  return { clients: listed.length, active: count("active"), revoked: count("revoked"), expired: count("expired") };
};
