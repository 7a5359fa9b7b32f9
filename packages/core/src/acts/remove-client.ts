import type { Client } from "../clients/client.ts";
import { type Changed, changeSeveral, onlyOne } from "./change-several.ts";
import type { ActDeps, Committed } from "./commit.ts";
import { findClients } from "./find.ts";

/**
 * Removes the client; its personal data and hashes are purged from the log, its usage stays.
 * @throws AigwError `not_found`
 */
export const removeClient = (deps: ActDeps, name: string): Promise<Committed<Client>> =>
  onlyOne(removeClients(deps, [name]));

/** {@link removeClient} for all of them or none. @throws AigwError `not_found` naming each unknown one */
export const removeClients = (
  deps: ActDeps,
  names: readonly string[],
): Promise<Committed<readonly Changed<Client>[]>> =>
  changeSeveral(
    deps,
    () => findClients(deps.store.control, names),
    (before) => ({ draft: { action: "client.remove", subject: before.name, after: null }, subject: before }),
  );
