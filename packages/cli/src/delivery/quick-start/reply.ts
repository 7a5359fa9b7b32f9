/** What came of one command. */
export type Reply = Answer | NoAnswer;

export interface Answer {
  readonly kind: "answer";
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** The beginning of it, at most {@link MAX_BODY_BYTES}. */
  readonly body: string;
}

export interface NoAnswer {
  /** `silent`: nobody listens there. `broken`: somebody does, but no answer came through. */
  readonly kind: "silent" | "broken";
  readonly reason: string;
}

/** Enough for a token and for a problem; a service's answer may be endless. */
export const MAX_BODY_BYTES = 65_536;
export const CONNECT_MS = 5_000;
/** An answer whose headers took longer is none. */
export const ANSWER_MS = 15_000;

/** The gateway's own refusal, told from whatever a service answers by its type. */
export const problemIn = ({ body }: Answer): { readonly code: string; readonly detail: string } | undefined => {
  const { type, detail } = parsed(body);
  const code = typeof type === "string" ? /^urn:aigw:problem:([a-z_]+)$/.exec(type)?.[1] : undefined;
  return code === undefined ? undefined : { code, detail: typeof detail === "string" ? detail : "" };
};

/** A JSON object's members; none for anything else. */
export const parsed = (body: string): Readonly<Record<string, unknown>> => {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    // Whatever it is, it is not what was looked for.
    return {};
  }
};
