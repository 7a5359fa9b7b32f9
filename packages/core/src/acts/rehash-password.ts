import { hashPassword } from "../clients/password.ts";
import { type ActDeps, commit } from "./commit.ts";

/**
 * Replaces a hash made with weaker parameters, or not of the NFC, after a login proved the password. The credentials stay
 * the same, so the epoch does too. Does nothing when the client or its password changed meanwhile.
 * @param provenHash the stored hash that the password was verified against
 */
export const rehashPassword = async (
  deps: ActDeps,
  name: string,
  provenHash: string,
  password: string,
): Promise<void> => {
  const passwordHash = await hashPassword(password);
  await commit(deps, async () => {
    const before = await deps.store.control.client(name);
    if (before?.passwordHash !== provenHash) return { result: undefined };
    return { draft: { action: "client.rehash", subject: name, after: { ...before, passwordHash } }, result: undefined };
  });
};
