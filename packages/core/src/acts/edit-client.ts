import type { Client } from "../clients/client.ts";
import { AigwError } from "../errors.ts";
import { changeSeveral, onlyOne } from "./change-several.ts";
import type { ActDeps, Committed } from "./commit.ts";
import { assertPlanExists, assertServicesExist, findClient } from "./find.ts";
import { type ClientPatch, settingOf } from "./set-client.ts";

/**
 * As setClient, of a client that somebody has had before them for a while.
 * @param known as it was shown
 * @throws AigwError `changed_meanwhile` when what can be edited is not what was shown any more; `not_found`,
 *   `invalid_value`
 */
export const editClient = (deps: ActDeps, known: Client, patch: ClientPatch): Promise<Committed<Client>> =>
  onlyOne(
    changeSeveral(
      deps,
      async () => {
        const before = await findClient(deps.store.control, known.name);
        if (factsOf(before) !== factsOf(known)) throw changedMeanwhile(known.name);
        await assertServicesExist(deps.store.control, patch.services);
        await assertPlanExists(deps.store.control, patch.plan);
        return [before];
      },
      (before) => settingOf(before, patch, [], new Map()),
    ),
  );

const changedMeanwhile = (name: string): AigwError =>
  new AigwError("changed_meanwhile", `Somebody else changed ${name} meanwhile. Nothing was changed.`, {
    details: { name },
  });

const factsOf = ({ id, email, displayName, note, services, limit, plan, weight, expiresAt }: Client): string =>
  JSON.stringify([id, email, displayName, note, services, limit, plan, weight, expiresAt]);
