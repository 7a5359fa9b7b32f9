/** One way to go on with the word being typed. */
export interface Candidate {
  /** The whole word. */
  readonly value: string;
  readonly about?: string;
}

/** What may stand where the cursor is. */
export type Wanted =
  | { readonly kind: "candidates"; readonly candidates: readonly Candidate[] }
  /**
   * Names from the store; `before` is what the word holds already, such as `--client=`, `beside` what may stand in a
   * name's place.
   */
  | {
      readonly kind: "clients" | "services" | "plans";
      readonly before: string;
      readonly prefix: string;
      readonly beside?: readonly Candidate[];
    }
  | { readonly kind: "settings"; readonly prefix: string }
  /** What this setting can be. */
  | { readonly kind: "values"; readonly key: string; readonly prefix: string }
  /** Whatever a change can be about and has a name: clients, services, plans, settings. */
  | { readonly kind: "subjects"; readonly before: string; readonly prefix: string }
  /** The shell knows files better. */
  | { readonly kind: "files" }
  | { readonly kind: "nothing" };

export const startingWith = (prefix: string, candidates: readonly Candidate[]): Wanted => ({
  kind: "candidates",
  candidates: candidates.filter(({ value }) => value.startsWith(prefix)),
});
