import type { Client } from "../clients/client.ts";
import { type ActDeps, type Committed, commit } from "./commit.ts";
import { findClient } from "./find.ts";

/**
 * Removes the client; its personal data and hashes are purged from the log, its usage stays.
 * @throws AigwError `not_found`
 */
export const removeClient = (deps: ActDeps, name: string): Promise<Committed<Client>> =>
  commit(deps, async () => {
    const before = await findClient(deps.store.control, name);
    return { draft: { action: "client.remove", subject: name, after: null }, result: before };
  });
