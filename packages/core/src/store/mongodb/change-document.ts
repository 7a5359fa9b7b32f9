import type { Change, ChangeDraft, Effect } from "../../changes/change.ts";

export type SubjectKind = "client" | "service" | "secret" | "config";
export const SUBJECT_KINDS: readonly SubjectKind[] = ["client", "service", "secret", "config"];

/** An effect as it is stored. The kind is the action's first half: a client and a service may share a name. */
export interface EffectDocument {
  readonly kind: SubjectKind;
  readonly action: string;
  readonly subject: string;
  /** JSON, so that it comes back as it was given. */
  readonly after: string;
}

/** A change: one document, so that it is there as a whole or not at all. Written once; only a purge alters it. */
export interface ChangeDocument {
  /** The revision. */
  readonly _id: number;
  readonly at: number;
  readonly actor: string;
  /** Tells its writer, who may have lost the answer, that it is its own. */
  readonly nonce: string;
  readonly effects: readonly EffectDocument[];
  /** What earlier changes hold of the clients that it removes has still to be purged. */
  readonly purgeDue?: true;
}

/** `after` of what was removed. */
export const REMOVED = "null";
/** `after` of effects on a client that was removed later. */
export const PURGED: string = JSON.stringify({ purged: true });

export const effectDocument = ({ action, subject, after }: ChangeDraft): EffectDocument => ({
  kind: action.slice(0, action.indexOf(".")) as SubjectKind,
  action,
  subject,
  after: JSON.stringify(after),
});

export const changeOf = ({ _id, at, actor, effects }: Omit<ChangeDocument, "nonce">): Change => ({
  rev: _id,
  at,
  actor,
  effects: effects.map(effectOf),
});

const effectOf = ({ action, subject, after }: EffectDocument): Effect =>
  // The log holds what append() was given, so the parts belong together.
  ({ action, subject, after: JSON.parse(after) as unknown }) as Effect;
