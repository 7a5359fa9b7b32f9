import type { Finding, Severity } from "../findings/finding.ts";

export interface FindingJson {
  /** Stable. */
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  /** Null when there is nothing to change. */
  readonly command: string | null;
}

export const findingJson = ({ code, severity, message, command }: Finding): FindingJson => ({
  code,
  severity,
  message,
  command: command ?? null,
});
