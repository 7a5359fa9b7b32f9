import type { Client } from "../clients/client.ts";
import type { SettingKey } from "../config/settings.ts";
import type { Keyring } from "../keys/signing-key.ts";
import type { Plan } from "../plans/plan.ts";
import type { Service } from "../services/service.ts";

export type ClientAction =
  | "client.add"
  | "client.set"
  | "client.passwd"
  | "client.proven"
  | "client.rehash"
  | "client.revoke"
  | "client.restore";
export type KeyringAction =
  | "secret.create"
  | "secret.rotate"
  | "secret.publish"
  | "secret.activate"
  | "secret.withdraw"
  | "secret.retire"
  | "secret.restore";

/**
 * One effect of an act: `after` is the whole subject as it is from then on, so that folding needs nothing but the effect.
 * A removed subject has `after: null`.
 */
export type ChangeDraft =
  | { readonly action: ClientAction; readonly subject: string; readonly after: Client }
  | { readonly action: "client.remove"; readonly subject: string; readonly after: null }
  | { readonly action: "service.add" | "service.set"; readonly subject: string; readonly after: Service }
  | { readonly action: "service.remove"; readonly subject: string; readonly after: null }
  | { readonly action: "plan.add" | "plan.set"; readonly subject: string; readonly after: Plan }
  | { readonly action: "plan.remove"; readonly subject: string; readonly after: null }
  /** `subject` is the `kid` the act is about. */
  | { readonly action: KeyringAction; readonly subject: string; readonly after: Keyring }
  | { readonly action: "config.set"; readonly subject: SettingKey; readonly after: string }
  | { readonly action: "config.unset"; readonly subject: SettingKey; readonly after: null };

/** An effect on a client whose personal data and hash were purged when the client was removed. */
export interface PurgedEffect {
  readonly action: ClientAction;
  readonly subject: string;
  readonly after: { readonly purged: true };
}

/**
 * An effect that a later one on the same subject has superseded: what it says stands, but its secrets are out of the
 * log. A hash or sealed value is a trace of it, see traceOf; of signing keys nothing is left. Never to be taken for what
 * holds, see {@link isSettled}.
 */
export type SupersededEffect = ChangeDraft & { readonly superseded: true };

export type Effect = ChangeDraft | SupersededEffect | PurgedEffect;

/** One admin act, as the log keeps it. */
export interface Change {
  /** 1, 2, 3 … without gaps. */
  readonly rev: number;
  /** Wall clock, milliseconds since the epoch. */
  readonly at: number;
  /** Who acted: `user@host` for the command line, `gateway <instance>` for a rehash on login. */
  readonly actor: string;
  /** All that it did, in force together or not at all: 1 to {@link MAX_EFFECTS}, no two of them on one subject. */
  readonly effects: readonly Effect[];
}

export type Action = ChangeDraft["action"];

/** Exhaustive: a new action does not compile until it is here. */
const KNOWN_ACTIONS: Readonly<Record<Action, true>> = {
  "client.add": true,
  "client.set": true,
  "client.passwd": true,
  "client.proven": true,
  "client.rehash": true,
  "client.revoke": true,
  "client.restore": true,
  "client.remove": true,
  "service.add": true,
  "service.set": true,
  "service.remove": true,
  "plan.add": true,
  "plan.set": true,
  "plan.remove": true,
  "secret.create": true,
  "secret.rotate": true,
  "secret.publish": true,
  "secret.activate": true,
  "secret.withdraw": true,
  "secret.retire": true,
  "secret.restore": true,
  "config.set": true,
  "config.unset": true,
};
export const ACTIONS: readonly Action[] = Object.keys(KNOWN_ACTIONS) as Action[];

/** A change is one record of the log on every engine, and MongoDB's may have 16 MiB: 3 KiB for each of so many. */
export const MAX_EFFECTS = 5_000;

/**
 * What every engine refuses to append. On one subject there is one effect at most, so that they can be folded in any
 * order, and again.
 * @throws TypeError naming the mistake: an act that makes it is wrong, whatever the store holds
 */
export const assertOneChange = (drafts: readonly ChangeDraft[]): void => {
  if (drafts.length === 0 || drafts.length > MAX_EFFECTS)
    throw new TypeError(`a change has 1 to ${MAX_EFFECTS} effects, not ${drafts.length}`);
  const subjects = new Set(drafts.map(subjectOf));
  if (subjects.size < drafts.length) throw new TypeError("a change has one effect on a subject");
};

/**
 * What an effect is on, one text for each. A client and a service may share a name; every effect on a secret has the
 * whole keyring for its subject.
 */
export const subjectOf = ({ action, subject }: Effect): string => {
  const kind = action.slice(0, action.indexOf("."));
  return kind === "secret" ? kind : `${kind} ${subject}`;
};

/** Whether a later effect counts in its place: its own state is not all there. */
export const isSuperseded = (effect: Effect): boolean => isPurged(effect) || "superseded" in effect;

/**
 * Whether what holds after these changes can be told from them alone: each effect that is superseded is followed by the
 * one that counts. Any changes up to the log's head are; those that a page ends with need not be.
 * @param changes ascending, without a gap
 */
export const isSettled = (changes: readonly Change[]): boolean => {
  const open = new Set<string>();
  for (const { effects } of changes) {
    for (const effect of effects) {
      if (isSuperseded(effect)) open.add(subjectOf(effect));
      else if (open.size > 0) open.delete(subjectOf(effect));
    }
  }
  return open.size === 0;
};

export const isPurged = (effect: Effect): effect is PurgedEffect =>
  typeof effect.after === "object" && effect.after !== null && "purged" in effect.after;
