import type { Client, Grant } from "../clients/client.ts";
import { AigwError } from "../errors.ts";
import { readTerms } from "../plans/read-terms.ts";
import type { GrantedAmount } from "../quotas/grant.ts";
import { isSameSum, parseQuotas, parseUnits, unitInWords } from "../quotas/quota.ts";
import { type ActDeps, type Committed, commit } from "./commit.ts";
import { findClient } from "./find.ts";

export interface GrantsInput {
  /** One or more, each unit once. */
  readonly amounts: readonly GrantedAmount[];
  /** Milliseconds since the epoch. */
  readonly until: number;
  readonly note?: string;
}

/**
 * Raises the quotas of a client for these units until then, on top of the grants that it has; those that are over go.
 * @throws AigwError `not_found`; `invalid_value` when it has no quota for one of them
 */
export const grantClient = (
  deps: ActDeps,
  name: string,
  { amounts, until, note }: GrantsInput,
): Promise<Committed<Client>> =>
  changeQuotas(deps, name, (client, quota) => {
    for (const { unit } of amounts) assertHasQuota(client.name, unit, quota);
    const now = deps.clock.now();
    const left = (client.grants ?? []).filter((grant) => grant.until > now);
    const given = amounts.map(({ unit, value }): Grant => ({ unit, value, until, ...(note && { note }), at: now }));
    return { ...client, grants: [...left, ...given] };
  });

/**
 * Lets the periods of a client's quotas start anew: what it has used of them so far counts no more.
 * @throws AigwError `not_found`; `invalid_value` for a client without a quota
 */
export const resetQuotas = (deps: ActDeps, name: string): Promise<Committed<Client>> =>
  changeQuotas(deps, name, (client, quota) => {
    if (quota === undefined) throw noQuota(client.name);
    return { ...client, quotaResets: (client.quotaResets ?? 0) + 1 };
  });

/** @param change is given what counts of the client in the end: its own quota, or its plan's */
const changeQuotas = (
  deps: ActDeps,
  name: string,
  change: (client: Client, quota: string | undefined) => Client,
): Promise<Committed<Client>> =>
  commit(deps, async () => {
    const client = await findClient(deps.store.control, name);
    const { quota } = await readTerms(deps.store.control, client);
    const after = change(client, quota);
    return { draft: { action: "client.set", subject: name, after }, result: after };
  });

const assertHasQuota = (name: string, unit: string, quota: string | undefined): void => {
  if (quota === undefined) throw noQuota(name);
  const quotas = parseQuotas(quota);
  const units = parseUnits(unit);
  if (quotas.some((one) => isSameSum(one.units, units))) return;
  const known = [...new Set(quotas.map(unitInWords))].join(", ");
  throw new AigwError(
    "invalid_value",
    `${name} has no quota of ${unit} that could be raised; it has quotas of: ${known}.`,
  );
};

const noQuota = (name: string): AigwError =>
  new AigwError(
    "invalid_value",
    `${name} has no quota. Give it one: aigw client set ${name} --quota 'requests=10000/day'`,
  );
