import type { ErrorCode } from "@aigw/core";

/** What only the command line can fail with. */
export type CliErrorCode = "usage" | "interrupted" | "internal";

export type ExitCode = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 130;

export const EXIT_MEANINGS: Readonly<Record<ExitCode, string>> = {
  0: "done",
  1: "failed",
  2: "usage: an unknown command or option, a missing argument, a value that is not valid",
  3: "not found",
  4: "refused: file permissions, master key",
  5: "conflict: exists already, is in use, or changed meanwhile",
  6: "store unavailable",
  130: "interrupted, or not confirmed",
};

/** Exhaustive: a new error code does not compile until it has its exit code. */
export const EXIT_CODES: Readonly<Record<ErrorCode | CliErrorCode, ExitCode>> = {
  failed: 1,
  internal: 1,
  not_applied: 1,
  unconfirmed: 1,
  home_not_initialised: 1,
  usage: 2,
  invalid_value: 2,
  not_found: 3,
  insecure_permissions: 4,
  home_incomplete: 4,
  master_key_missing: 4,
  master_key_invalid: 4,
  master_key_wrong: 4,
  already_exists: 5,
  changed_meanwhile: 5,
  in_use: 5,
  store_unavailable: 6,
  store_locked: 6,
  store_read_only: 6,
  store_full: 6,
  store_corrupt: 6,
  store_schema_newer: 6,
  store_schema_older: 6,
  store_unsupported: 6,
  interrupted: 130,
};
