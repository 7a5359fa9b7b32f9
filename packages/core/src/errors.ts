/**
 * Everything that can go wrong in aigw and is somebody's to act on. The union is closed: exit codes, HTTP statuses and
 * docs/errors.md are exhaustive tables over it.
 */
export type ErrorCode =
  | "invalid_value"
  | "not_found"
  | "already_exists"
  | "changed_meanwhile"
  | "in_use"
  | "home_not_initialised"
  | "home_incomplete"
  | "insecure_permissions"
  | "master_key_missing"
  | "master_key_invalid"
  | "master_key_wrong"
  | "store_unavailable"
  | "store_locked"
  | "store_read_only"
  | "store_full"
  | "store_corrupt"
  | "store_schema_newer"
  | "store_schema_older"
  | "store_unsupported"
  | "not_applied"
  | "unconfirmed"
  | "failed";

/** Extra facts for `--json` and logs. Never a secret. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** The one error class. `message` says what was wrong, with what value, and what to do; it is shown to people as it is. */
export class AigwError extends Error {
  override readonly name = "AigwError";
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; details?: ErrorDetails } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }
}

export const isAigwError = (error: unknown, ...codes: ErrorCode[]): error is AigwError =>
  error instanceof AigwError && (codes.length === 0 || codes.includes(error.code));

/** True for every code that says the store cannot be used now: the callers that hold on and retry ask this. */
export const isStoreFault = (error: unknown): error is AigwError =>
  error instanceof AigwError && (error.code.startsWith("store_") || error.code === "insecure_permissions");
