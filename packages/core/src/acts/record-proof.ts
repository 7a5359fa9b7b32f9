import type { Client } from "../clients/client.ts";
import { type ActDeps, type Committed, commit } from "./commit.ts";

/**
 * Records that the quick start worked with the client's present password. Does nothing when the client is gone or has
 * other credentials by now: those were not proven.
 * @param client as it was when its credentials were tried
 */
export const recordProof = (deps: ActDeps, client: Client): Promise<Committed<Client>> =>
  commit(deps, async () => {
    const before = await deps.store.control.client(client.name);
    if (before?.id !== client.id || before.epoch !== client.epoch) return { result: client };
    const after: Client = { ...before, provenAt: deps.clock.now() };
    return { draft: { action: "client.proven", subject: client.name, after }, result: after };
  });
