import type { Client } from "../clients/client.ts";
import { type Changed, changeSeveral, onlyOne } from "./change-several.ts";
import type { ActDeps, Committed } from "./commit.ts";
import { findClients } from "./find.ts";

/** From now on the client is refused everywhere. @throws AigwError `not_found` */
export const revokeClient = (deps: ActDeps, name: string): Promise<Committed<Client>> =>
  onlyOne(revokeClients(deps, [name]));

/** {@link revokeClient} for all of them or none. @throws AigwError `not_found` naming each unknown one */
export const revokeClients = (
  deps: ActDeps,
  names: readonly string[],
): Promise<Committed<readonly Changed<Client>[]>> =>
  changeSeveral(
    deps,
    () => findClients(deps.store.control, names),
    (before) => {
      if (before.status === "revoked") return { subject: before };
      const after: Client = { ...before, status: "revoked", epoch: before.epoch + 1, revokedAt: deps.clock.now() };
      return { draft: { action: "client.revoke", subject: before.name, after }, subject: after };
    },
  );
