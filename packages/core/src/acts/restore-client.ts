import type { Client } from "../clients/client.ts";
import { type ActDeps, type Committed, commit } from "./commit.ts";
import { findClient } from "./find.ts";

/** Lets a revoked client log in again with its password; tokens from before stay dead. @throws AigwError `not_found` */
export const restoreClient = (deps: ActDeps, name: string): Promise<Committed<Client>> =>
  commit(deps, async () => {
    const before = await findClient(deps.store.control, name);
    if (before.status === "active") return { result: before };
    const { revokedAt: _ended, ...rest } = before;
    const after: Client = { ...rest, status: "active", epoch: before.epoch + 1 };
    return { draft: { action: "client.restore", subject: name, after }, result: after };
  });
