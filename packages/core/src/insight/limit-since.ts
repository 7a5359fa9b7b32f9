import { type Change, isPurged } from "../changes/change.ts";
import { type Client, limitOf } from "../clients/client.ts";

/**
 * Since when the client's limit is what it is: calls before were judged by another one.
 * @param changes of this client's name, newest first; what they do not reach back to counts as unchanged
 * @returns milliseconds since the epoch
 */
export const limitSince = (changes: readonly Change[], client: Client): number => {
  let since = client.createdAt;
  for (const change of changes) {
    const { after } = change;
    if (!change.action.startsWith("client.") || isPurged(change) || after === null) continue;
    const then = after as Client;
    // Somebody else of this name.
    if (then.id !== client.id) break;
    if (limitOf(then) !== limitOf(client)) return since;
    since = change.at;
  }
  return client.createdAt;
};
