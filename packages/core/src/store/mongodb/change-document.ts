import { type Change, type ChangeDraft, type Effect, subjectOf } from "../../changes/change.ts";
import { secretsOf } from "../../changes/secrets.ts";

export type SubjectKind = "client" | "service" | "plan" | "secret" | "config";
export const SUBJECT_KINDS: readonly SubjectKind[] = ["client", "service", "plan", "secret", "config"];

/** An effect as it is stored. The kind is the action's first half: a client and a service may share a name. */
export interface EffectDocument {
  readonly kind: SubjectKind;
  readonly action: string;
  readonly subject: string;
  /** JSON, so that it comes back as it was given. */
  readonly after: string;
  /** It holds secrets: the subject (subjectOf), by which the effect that supersedes it finds it. */
  readonly held?: string;
  /** It held some: see SupersededEffect. */
  readonly erased?: true;
}

/** A change: one document, so that it is there as a whole or not at all. Written once; only an erasure alters it. */
export interface ChangeDocument {
  /** The revision. */
  readonly _id: number;
  readonly at: number;
  readonly actor: string;
  /** Tells its writer, who may have lost the answer, that it is its own. */
  readonly nonce: string;
  readonly effects: readonly EffectDocument[];
  /** What earlier changes hold and must not hold any more, because of this one, is still to be erased. */
  readonly due?: true;
}

/** `after` of what was removed. */
export const REMOVED = "null";
/** `after` of effects on a client that was removed later. */
export const PURGED: string = JSON.stringify({ purged: true });

export const effectDocument = (draft: ChangeDraft): EffectDocument => ({
  kind: draft.action.slice(0, draft.action.indexOf(".")) as SubjectKind,
  action: draft.action,
  subject: draft.subject,
  after: JSON.stringify(draft.after),
  ...(secretsOf(draft).length > 0 ? { held: subjectOf(draft) } : {}),
});

export const changeOf = ({ _id, at, actor, effects }: Omit<ChangeDocument, "nonce">): Change => ({
  rev: _id,
  at,
  actor,
  effects: effects.map(effectOf),
});

export const effectOf = ({ action, subject, after, erased }: EffectDocument): Effect =>
  // The log holds what append() was given, so the parts belong together.
  ({
    action,
    subject,
    after: JSON.parse(after) as unknown,
    ...(erased && after !== PURGED ? { superseded: true } : {}),
  }) as Effect;
