import type { ChangeDraft } from "../changes/change.ts";
import type { Client } from "../clients/client.ts";
import { type ActDeps, type Committed, commit } from "./commit.ts";

/**
 * Records that the quick start worked with these clients' present passwords: one change of the log. A client that is gone
 * or has other credentials by now is left as it is: those were not proven.
 * @param clients as they were when their credentials were tried
 * @returns each as it is now, in this order
 */
export const recordProofs = (deps: ActDeps, clients: readonly Client[]): Promise<Committed<readonly Client[]>> =>
  commit(deps, async () => {
    const provenAt = deps.clock.now();
    const draft: ChangeDraft[] = [];
    const result: Client[] = [];
    for (const client of clients) {
      const before = await deps.store.control.client(client.name);
      const isTheSame = before?.id === client.id && before.epoch === client.epoch;
      const after = isTheSame ? { ...before, provenAt } : client;
      if (isTheSame) draft.push({ action: "client.proven", subject: client.name, after });
      result.push(after);
    }
    return draft.length === 0 ? { result } : { draft, result };
  });
