import type { ActDeps, Client } from "@aigw/core";
import { inTime, WORK_PATIENCE_MS } from "@aigw/core/store";

/** Stores a proven password anew, under today's parameters; nobody waits for it. The code is loaded when it is needed. */
export const rehash = async (deps: ActDeps, client: Client, password: string): Promise<void> => {
  const { rehashPassword } = await import("@aigw/core/acts");
  await inTime(rehashPassword(deps, client.name, client.passwordHash, password), WORK_PATIENCE_MS);
};
