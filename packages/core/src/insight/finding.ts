/**
 * - `blocked`: calls fail now because of it
 * - `warning`: calls fail sometimes, or will
 * - `fine`: nothing to do
 */
export type Severity = "blocked" | "warning" | "fine";

/** One thing found out, in plain words, with the command that changes it. */
export interface Finding<Code extends string> {
  readonly code: Code;
  readonly severity: Severity;
  /** One or two sentences. */
  readonly message: string;
  /** Such as `aigw client restore john`; absent when there is nothing to change here. */
  readonly command?: string;
}

/** How a time is put: `3 h ago` on a terminal, RFC 3339 elsewhere. */
export type When = (at: number) => string;

export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;
