import type { Client } from "../clients/client.ts";
import { type ActDeps, type Committed, commit } from "./commit.ts";
import { findClient } from "./find.ts";

/** From now on the client is refused everywhere. @throws AigwError `not_found` */
export const revokeClient = (deps: ActDeps, name: string): Promise<Committed<Client>> =>
  commit(deps, async () => {
    const before = await findClient(deps.store.control, name);
    if (before.status === "revoked") return { result: before };
    const after: Client = { ...before, status: "revoked", epoch: before.epoch + 1, revokedAt: deps.clock.now() };
    return { draft: { action: "client.revoke", subject: name, after }, result: after };
  });
