/** Why a request gets no text back. Closed: every code has its status below. */
export type RefusalCode =
  | "bad_form"
  | "bad_image"
  | "busy"
  | "method_not_allowed"
  | "not_found"
  | "too_large"
  | "unauthorized"
  | "unavailable";

export const STATUS: Readonly<Record<RefusalCode, number>> = {
  bad_form: 400,
  unauthorized: 401,
  not_found: 404,
  method_not_allowed: 405,
  too_large: 413,
  bad_image: 422,
  busy: 503,
  unavailable: 503,
};

/** An answer that was foreseen. Its message goes to the caller as it is, so it never quotes what the caller sent. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly code: RefusalCode;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: RefusalCode,
    message: string,
    options: { headers?: Readonly<Record<string, string>>; cause?: unknown } = {},
  ) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.headers = options.headers ?? {};
  }
}
