import type { Service } from "../services/service.ts";
import { type ActDeps, type Committed, commit } from "./commit.ts";
import { findService } from "./find.ts";

/** @throws AigwError `not_found` */
export const removeService = (deps: ActDeps, name: string): Promise<Committed<Service>> =>
  commit(deps, async () => {
    const before = await findService(deps.store.control, name);
    return { draft: { action: "service.remove", subject: name, after: null }, result: before };
  });
