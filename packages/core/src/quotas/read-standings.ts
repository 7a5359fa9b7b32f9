import type { Client } from "../clients/client.ts";
import type { Store } from "../store/store.ts";
import { EMPTY_RECORD } from "./quota-record.ts";
import { type QuotaStanding, standingsOf } from "./standing.ts";
import { quotaTerms } from "./terms.ts";

/**
 * Where a client stands with each of its quotas, as the store has it. One look-up; none for a client without a quota.
 * @param quota what counts of it, canonical: see termsOf of plans; undefined: none
 * @param zone a name that parseTimezone takes
 */
export const readStandings = async (
  { traffic }: Pick<Store, "traffic">,
  client: Pick<Client, "id" | "grants" | "quotaResets">,
  quota: string | undefined,
  zone: string,
): Promise<readonly QuotaStanding[]> => {
  const terms = quotaTerms(client, quota, zone);
  if (terms === undefined) return [];
  const found = await traffic.quotaRecord(client.id);
  return standingsOf(terms, found?.record ?? EMPTY_RECORD, traffic.steadyNow());
};
