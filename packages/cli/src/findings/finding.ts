/**
 * - `blocked`: calls fail now because of it, or something does not work
 * - `warning`: calls fail sometimes, or will
 * - `fine`: nothing to do
 */
export type Severity = "blocked" | "warning" | "fine";

/** One thing found out, in plain words, with what changes it: of `why`, `review` and `doctor` alike. */
export interface Finding<Code extends string = string> {
  /** Closed and stable: scripts go by it. */
  readonly code: Code;
  readonly severity: Severity;
  /** What was looked at, such as `service ocr`, where that is not one client. */
  readonly about?: string;
  /** One or a few sentences, without a secret. */
  readonly message: string;
  /** Such as `aigw client restore john`; of doctor's also a step in words. Absent when there is nothing to change. */
  readonly command?: string;
}

/** How a time is put: `3 h ago` on a terminal, RFC 3339 elsewhere. */
export type When = (at: number) => string;

/** What blocks before what warns, else in the given order. */
export const bySeverity = <F extends Finding>(findings: readonly F[]): readonly F[] => [
  ...findings.filter(({ severity }) => severity === "blocked"),
  ...findings.filter(({ severity }) => severity === "warning"),
  ...findings.filter(({ severity }) => severity === "fine"),
];
