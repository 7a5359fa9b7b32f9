import { ClientTable } from "../clients/client-table.ts";
import type { SettingKey } from "../config/settings.ts";
import type { Keyring } from "../keys/signing-key.ts";
import type { Plan } from "../plans/plan.ts";
import type { Service } from "../services/service.ts";
import { type Change, type Effect, isPurged, isSuperseded } from "./change.ts";

/** The log folded up to `rev`: all that a gateway needs to judge a request. Owned and mutated by its holder alone. */
export interface ControlState {
  rev: number;
  readonly clients: ClientTable;
  readonly services: Map<string, Service>;
  readonly plans: Map<string, Plan>;
  keyring: Keyring;
  readonly settings: Map<SettingKey, string>;
}

export const emptyControlState = (): ControlState => ({
  rev: 0,
  clients: new ClientTable(),
  services: new Map(),
  plans: new Map(),
  keyring: [],
  settings: new Map(),
});

/**
 * Applies the next change in place. O(1) in the number of clients and services. What holds is known once changes are
 * folded that are settled (isSettled): a superseded effect changes nothing, the one that counts follows.
 */
export const fold = (state: ControlState, change: Change): void => {
  for (const effect of change.effects) applyEffect(state, effect);
  state.rev = change.rev;
};

const applyEffect = (state: ControlState, effect: Effect): void => {
  if (isPurged(effect) || isSuperseded(effect)) return;
  switch (effect.action) {
    case "client.add":
    case "client.set":
    case "client.passwd":
    case "client.proven":
    case "client.rehash":
    case "client.revoke":
    case "client.restore":
      state.clients.put(effect.after);
      return;
    case "client.remove":
      state.clients.drop(effect.subject);
      return;
    case "service.add":
    case "service.set":
      state.services.set(effect.subject, effect.after);
      return;
    case "service.remove":
      state.services.delete(effect.subject);
      return;
    case "plan.add":
    case "plan.set":
      state.plans.set(effect.subject, effect.after);
      return;
    case "plan.remove":
      state.plans.delete(effect.subject);
      return;
    case "secret.create":
    case "secret.rotate":
    case "secret.publish":
    case "secret.activate":
    case "secret.withdraw":
    case "secret.retire":
    case "secret.restore":
      state.keyring = effect.after;
      return;
    case "config.set":
      state.settings.set(effect.subject, effect.after);
      return;
    case "config.unset":
      state.settings.delete(effect.subject);
      return;
    default:
      effect satisfies never;
  }
};
