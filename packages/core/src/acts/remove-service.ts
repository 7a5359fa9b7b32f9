import type { Service } from "../services/service.ts";
import { type Changed, changeSeveral, onlyOne } from "./change-several.ts";
import type { ActDeps, Committed } from "./commit.ts";
import { findServices } from "./find.ts";

/** @throws AigwError `not_found` */
export const removeService = (deps: ActDeps, name: string): Promise<Committed<Service>> =>
  onlyOne(removeServices(deps, [name]));

/** {@link removeService} for all of them or none. @throws AigwError `not_found` naming each unknown one */
export const removeServices = (
  deps: ActDeps,
  names: readonly string[],
): Promise<Committed<readonly Changed<Service>[]>> =>
  changeSeveral(
    deps,
    () => findServices(deps.store.control, names),
    (before) => ({ draft: { action: "service.remove", subject: before.name, after: null }, subject: before }),
  );
