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
 * What an act writes: `after` is the whole subject as it is from then on, so that folding needs nothing but the change.
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

/** A client change whose personal data and hash were purged when the client was removed. */
export interface PurgedChange {
  readonly action: ClientAction;
  readonly subject: string;
  readonly after: { readonly purged: true };
}

/** One admin act, as the log keeps it. */
export type Change = (ChangeDraft | PurgedChange) & {
  /** 1, 2, 3 … without gaps. */
  readonly rev: number;
  /** Wall clock, milliseconds since the epoch. */
  readonly at: number;
  /** Who acted: `user@host` for the command line, `gateway <instance>` for a rehash on login. */
  readonly actor: string;
};

export type Action = Change["action"];

export const isPurged = (change: ChangeDraft | PurgedChange): change is PurgedChange =>
  typeof change.after === "object" && change.after !== null && "purged" in change.after;
