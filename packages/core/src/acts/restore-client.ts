import type { Client } from "../clients/client.ts";
import { type Changed, changeSeveral, onlyOne } from "./change-several.ts";
import type { ActDeps, Committed } from "./commit.ts";
import { findClients } from "./find.ts";

/** Lets a revoked client log in again with its password; tokens from before stay dead. @throws AigwError `not_found` */
export const restoreClient = (deps: ActDeps, name: string): Promise<Committed<Client>> =>
  onlyOne(restoreClients(deps, [name]));

/** {@link restoreClient} for all of them or none. @throws AigwError `not_found` naming each unknown one */
export const restoreClients = (
  deps: ActDeps,
  names: readonly string[],
): Promise<Committed<readonly Changed<Client>[]>> =>
  changeSeveral(
    deps,
    () => findClients(deps.store.control, names),
    (before) => {
      if (before.status === "active") return { subject: before };
      const { revokedAt: _ended, ...rest } = before;
      const after: Client = { ...rest, status: "active", epoch: before.epoch + 1 };
      return { draft: { action: "client.restore", subject: before.name, after }, subject: after };
    },
  );
