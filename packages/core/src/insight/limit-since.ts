import { type Change, isPurged } from "../changes/change.ts";
import { type Client, limitOf } from "../clients/client.ts";

/** A change is in force on every gateway within a second. */
const IN_FORCE_MS = 1_000;

/**
 * Since when the client's limit is what it is, on every gateway: calls before were judged by another one.
 * @param changes of this client's name, newest first; what they do not reach back to counts as unchanged
 * @returns milliseconds since the epoch
 */
export const limitSince = (changes: readonly Change[], client: Client): number => {
  let since = client.createdAt;
  for (const { at, effects } of changes) {
    // Of one client a change has one effect; a service may bear the same name.
    const effect = effects.find(({ action }) => action.startsWith("client."));
    if (effect === undefined || isPurged(effect) || effect.after === null) continue;
    const then = effect.after as Client;
    // Somebody else of this name.
    if (then.id !== client.id) break;
    if (limitOf(then) !== limitOf(client)) return since;
    since = at + IN_FORCE_MS;
  }
  return client.createdAt;
};
