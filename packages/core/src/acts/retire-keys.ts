import { endedKey, retireEnded } from "../keys/rotate.ts";
import { type ActDeps, commit } from "./commit.ts";
import { keyTime } from "./key-time.ts";

/**
 * Drops the secrets of signing keys whose grace has ended; nobody uses them any more, and no token changes by it. Of
 * several gateways that do so at once one does. @returns whether there was any
 */
export const retireEndedKeys = async (deps: ActDeps): Promise<boolean> => {
  const { changed } = await commit(deps, async () => {
    const keyring = await deps.store.control.keyring();
    const now = keyTime(deps);
    const ended = endedKey(keyring, now);
    if (ended === undefined) return { result: undefined };
    const after = retireEnded(keyring, now);
    return { draft: { action: "secret.retire", subject: ended.kid, after }, result: undefined };
  });
  return changed;
};
