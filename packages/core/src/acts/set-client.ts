import type { Client } from "../clients/client.ts";
import { type ActDeps, type Committed, commit } from "./commit.ts";
import { assertServicesExist, findClient } from "./find.ts";

/** Absent leaves a field as it is; null clears it: no e-mail, all services, the default limit, no expiry. */
export interface ClientPatch {
  readonly email?: string | null;
  readonly displayName?: string | null;
  readonly note?: string | null;
  readonly services?: readonly string[] | null;
  readonly limit?: number | null;
  readonly expiresAt?: number | null;
}

/** @throws AigwError `not_found`, `invalid_value` */
export const setClient = (deps: ActDeps, name: string, patch: ClientPatch): Promise<Committed<Client>> =>
  commit(deps, async () => {
    const before = await findClient(deps.store.control, name);
    await assertServicesExist(deps.store.control, patch.services);
    const after = patched(before, patch);
    if (JSON.stringify(after) === JSON.stringify(before)) return { result: before };
    return { draft: { action: "client.set", subject: name, after }, result: after };
  });

const patched = (client: Client, patch: ClientPatch): Client => {
  const entries = Object.entries({ ...client, ...patch }).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(entries) as unknown as Client;
};
