import { type Change, isPurged } from "../changes/change.ts";
import type { Client } from "../clients/client.ts";
import type { Plan } from "../plans/plan.ts";
import { termsAmong } from "../plans/terms.ts";
import type { ControlStore } from "../store/store.ts";

/** A change is in force on every gateway within a second. */
const IN_FORCE_MS = 1_000;
/** Of a plan. */
const HISTORY = 200;

/**
 * Since when the client's limit is what it is, on every gateway: calls before were judged by another one.
 * @param changes of this client's name and of its plans', newest first; what they do not reach back to counts as
 *   unchanged
 * @param plan its plan as it is
 * @returns milliseconds since the epoch
 */
export const limitSince = (changes: readonly Change[], client: Client, plan?: Plan): number => {
  const ascending = changes.toReversed();
  const plans = plansBefore(ascending, plan);
  let since = client.createdAt;
  let record: Client | undefined;
  let before: number | undefined;
  for (const { at, effects } of ascending) {
    for (const effect of effects) {
      if (isPurged(effect)) continue;
      // A service may bear the same name. Somebody else of this name is not this client.
      if (effect.action.startsWith("client.")) record = clientIn(effect.after, client.id);
      else if (effect.action === "plan.add" || effect.action === "plan.set") plans.set(effect.subject, effect.after);
      else if (effect.action === "plan.remove") plans.delete(effect.subject);
    }
    if (record === undefined) continue;
    const { limit } = termsAmong(record, plans);
    if (before !== undefined && limit !== before) since = at + IN_FORCE_MS;
    before = limit;
  }
  return since;
};

/** With those of every plan that it was on, as far as they are known. */
export const limitChanges = async (
  control: ControlStore,
  client: Client,
  changes: readonly Change[],
): Promise<readonly Change[]> => {
  const names = new Set(changes.flatMap(({ effects }) => effects.map(planIn)));
  names.add(client.plan);
  names.delete(undefined);
  if (names.size === 0) return changes;
  const ofPlans = await Promise.all(
    [...names].map((subject = "") => control.latestChanges({ subject, limit: HISTORY })),
  );
  return [...changes, ...ofPlans.flat()].toSorted((one, other) => other.rev - one.rev);
};

/** What was there before the first change that is known of each plan: of one that was set then, what it was set to. */
const plansBefore = (ascending: readonly Change[], plan: Plan | undefined): Map<string, Plan> => {
  const plans = new Map<string, Plan>();
  const seen = new Set<string>();
  for (const { effects } of ascending) {
    for (const { action, subject, after } of effects) {
      if (!action.startsWith("plan.") || seen.has(subject)) continue;
      seen.add(subject);
      if (action === "plan.set") plans.set(subject, after as Plan);
    }
  }
  if (plan !== undefined && !seen.has(plan.name)) plans.set(plan.name, plan);
  return plans;
};

const clientIn = (after: unknown, id: string): Client | undefined => {
  const client = after as Client | null;
  return client?.id === id ? client : undefined;
};

const planIn = (effect: Change["effects"][number]): string | undefined =>
  effect.action.startsWith("client.") && !isPurged(effect) ? (effect.after as Client | null)?.plan : undefined;
