import type { Client } from "../clients/client.ts";
import type { SettingKey } from "../config/settings.ts";
import type { Keyring } from "../keys/signing-key.ts";
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

export type Effect = ChangeDraft | PurgedEffect;

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
  "secret.create": true,
  "secret.rotate": true,
  "secret.publish": true,
  "secret.activate": true,
  "secret.withdraw": true,
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

/** A client and a service may share a name; every effect on a secret has the whole keyring for its subject. */
const subjectOf = ({ action, subject }: ChangeDraft): string => {
  const kind = action.slice(0, action.indexOf("."));
  return kind === "secret" ? kind : `${kind} ${subject}`;
};

export const isPurged = (effect: Effect): effect is PurgedEffect =>
  typeof effect.after === "object" && effect.after !== null && "purged" in effect.after;
