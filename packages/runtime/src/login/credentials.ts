/** RFC 6749 §5.2 and RFC 8628 `slow_down`: the closed list of the token endpoint's errors, with their statuses. */
export const TOKEN_ERRORS = {
  invalid_request: 400,
  invalid_client: 401,
  unsupported_grant_type: 400,
  slow_down: 429,
  temporarily_unavailable: 503,
} as const;

export type TokenErrorCode = keyof typeof TOKEN_ERRORS;

export const TOKEN_ERROR_CODES: readonly TokenErrorCode[] = Object.keys(TOKEN_ERRORS) as TokenErrorCode[];

export interface TokenRefusal {
  readonly error: TokenErrorCode;
  readonly description: string;
}

export interface Credentials {
  readonly username: string;
  readonly password: string;
  /** They came by HTTP Basic, so a refusal must challenge (RFC 6749 §5.2). */
  readonly basic: boolean;
}

export type CredentialsOrRefusal = Credentials | TokenRefusal;

const refusal = (error: TokenErrorCode, description: string): TokenRefusal => ({ error, description });

/**
 * Reads the one way in which a token request gives its credentials: `username` + `password`, `client_id` +
 * `client_secret`, or HTTP Basic.
 * @param authorization the Authorization field
 * @param contentType the Content-Type field
 * @param body at most 8 KiB
 */
export const readCredentials = (
  authorization: string | undefined,
  contentType: string | undefined,
  body: Uint8Array,
): CredentialsOrRefusal => {
  const parameters = readParameters(contentType, body);
  if (!(parameters instanceof Map)) return parameters;
  const grant = parameters.get("grant_type");
  if (grant !== undefined && grant !== "client_credentials" && grant !== "password") {
    return refusal("unsupported_grant_type", "Use grant_type client_credentials or password, or leave it out.");
  }
  const pairs = [
    ["username", "password"],
    ["client_id", "client_secret"],
  ].filter((names) => names.some((name) => parameters.has(name)));
  if (pairs.length + (authorization === undefined ? 0 : 1) > 1) {
    return refusal("invalid_request", "Give the credentials in one way only: in the body or by HTTP Basic.");
  }
  if (authorization !== undefined) return readBasic(authorization);
  const [name, secret] = pairs[0] ?? ["username", "password"];
  const username = parameters.get(name ?? "");
  const password = parameters.get(secret ?? "");
  if (!username || !password) {
    return refusal("invalid_request", `The parameters ${name} and ${secret} are required.`);
  }
  return { username, password, basic: false };
};

const readParameters = (contentType: string | undefined, body: Uint8Array): Map<string, string> | TokenRefusal => {
  const type = contentType?.split(";", 1)[0]?.trim().toLowerCase();
  if (type === undefined && body.length === 0) return new Map();
  if (type === "application/x-www-form-urlencoded") return readForm(body);
  if (type === "application/json") return readJson(body);
  return refusal("invalid_request", "Send the body as application/x-www-form-urlencoded or application/json.");
};

const readForm = (body: Uint8Array): Map<string, string> | TokenRefusal => {
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(Buffer.from(body).toString("utf8"))) {
    // RFC 6749 §3.2: no parameter more than once.
    if (parameters.has(name)) return refusal("invalid_request", "A parameter is given more than once.");
    parameters.set(name, value);
  }
  return parameters;
};

const readJson = (body: Uint8Array): Map<string, string> | TokenRefusal => {
  const notAnObject = refusal("invalid_request", "The JSON body must be an object whose members are strings.");
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body).toString("utf8"));
  } catch {
    return notAnObject;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return notAnObject;
  const parameters = new Map<string, string>();
  for (const [name, member] of Object.entries(value)) {
    if (typeof member !== "string") return notAnObject;
    parameters.set(name, member);
  }
  return parameters;
};

/** Both parts are form-encoded before they are joined (RFC 6749 §2.3.1). */
const readBasic = (authorization: string): CredentialsOrRefusal => {
  const encoded = /^Basic ([A-Za-z0-9+/]+={0,2})$/i.exec(authorization)?.[1];
  const text = encoded === undefined ? "" : Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  const username = formDecode(text.slice(0, Math.max(0, colon)));
  const password = formDecode(text.slice(colon + 1));
  if (colon < 1 || !username || !password) {
    return refusal("invalid_request", "The Authorization field does not hold Basic credentials.");
  }
  return { username, password, basic: true };
};

const formDecode = (part: string): string | undefined => {
  try {
    return decodeURIComponent(part.replaceAll("+", " "));
  } catch {
    return undefined;
  }
};
