import type { Client } from "../clients/client.ts";
import { generatePassword, hashPassword, parseChosenPassword } from "../clients/password.ts";
import type { ClientWithPassword } from "./add-client.ts";
import { type ActDeps, type Committed, commit } from "./commit.ts";
import { findClient } from "./find.ts";

/**
 * Gives a client a new password, generated unless `chosen`; the old one and every token stop working.
 * @throws AigwError `not_found`, `invalid_value`
 */
export const setPassword = async (
  deps: ActDeps,
  name: string,
  chosen?: string,
): Promise<Committed<ClientWithPassword>> => {
  await findClient(deps.store.control, name);
  const password = chosen === undefined ? generatePassword() : parseChosenPassword(chosen, name);
  const passwordHash = await hashPassword(password);
  return commit(deps, async () => {
    const before = await findClient(deps.store.control, name);
    const client = withPassword(before, passwordHash, deps.clock.now());
    return { draft: { action: "client.passwd", subject: name, after: client }, result: { client, password } };
  });
};

/** The client with other credentials: what was proven was the old password. */
export const withPassword = (before: Client, passwordHash: string, now: number): Client => {
  const { provenAt: _gone, ...rest } = before;
  return { ...rest, passwordHash, passwordChangedAt: now, epoch: before.epoch + 1 };
};
