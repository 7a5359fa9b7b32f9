import type { Effect, Keyring } from "@aigw/core";
import { SETTINGS } from "@aigw/core/config";
import { rfc3339 } from "../../terminal/output/time.ts";
import { type Facts, factsOf } from "./facts.ts";

/**
 * What a change did to one subject, for people. Made from named facts only: hashes, sealed values and secrets are not
 * among them.
 * @param before the effect on the same subject before this one, where it matters
 */
export const summaryOf = (effect: Effect, before: Effect | undefined): string => {
  const facts = factsOf(effect);
  if (facts === "purged") return "details purged: the client was removed since";
  switch (effect.action) {
    case "client.add":
    case "service.add":
    case "plan.add":
      return listed(facts) || "with the defaults";
    case "client.set":
    case "service.set":
    case "plan.set":
      return differences(before === undefined ? new Map() : factsOf(before), facts);
    case "client.passwd":
      return "new password; earlier tokens are dead";
    case "client.proven":
      return "its quick start was seen to work";
    case "client.rehash":
      return "same password, hashed with today's parameters";
    case "client.revoke":
      return "refused everywhere";
    case "client.restore":
      return "may log in again";
    case "client.remove":
      return "removed; personal data purged";
    case "service.remove":
    case "plan.remove":
      return "removed";
    case "secret.create":
      return "first secret";
    case "secret.rotate":
      return "signs at once; earlier tokens are dead";
    case "secret.publish":
      return "verifies, does not sign yet";
    case "secret.activate":
      return `signs; ${verifyingUntil(effect.after)}`;
    case "secret.withdraw":
      return "taken back: a gateway did not confirm it";
    case "secret.retire":
      return "its grace is over; its secret is erased";
    case "secret.restore":
      return "a backup was restored; earlier tokens are dead";
    case "config.set":
      return SETTINGS[effect.subject]?.secret === true ? "sealed" : String(effect.after);
    case "config.unset":
      return "back to the default";
    default:
      return effect satisfies never;
  }
};

const listed = (facts: Facts): string => [...facts].map(([name, { shown }]) => `${name} ${shown}`).join("; ");

const differences = (before: Facts | "purged", after: Facts): string => {
  if (before === "purged") return "details purged";
  const names = new Set([...before.keys(), ...after.keys()]);
  const parts = [...names].flatMap((name) => {
    const old = before.get(name);
    const now = after.get(name);
    if (old?.value === now?.value) return [];
    if (old?.secret === true || now?.secret === true) {
      return [`${name} ${old === undefined ? "added" : now === undefined ? "removed" : "replaced"}`];
    }
    return [`${name} ${old?.shown ?? "none"} → ${now?.shown ?? "none"}`];
  });
  return parts.join("; ") || "nothing that is shown";
};

const verifyingUntil = (after: Effect["after"]): string => {
  const keys: Keyring = Array.isArray(after) ? after : [];
  const until = keys.flatMap((key) => (key.status === "retiring" ? (key.verifyUntil ?? []) : []));
  return until.length === 0 ? "no earlier key verifies" : `earlier tokens work until ${rfc3339(Math.max(...until))}`;
};
