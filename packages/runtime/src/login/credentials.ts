import { mediaTypeOf } from "../media-type.ts";

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
  /** By HTTP Basic: the password as it stands there. It may be meant so, by a client that did not form-encode it. */
  readonly asSent?: string;
  /** They came by HTTP Basic, so a refusal must challenge (RFC 6749 §5.2). */
  readonly basic: boolean;
}

export type CredentialsOrRefusal = Credentials | TokenRefusal;

const refusal = (error: TokenErrorCode, description: string): TokenRefusal => ({ error, description });

/** One of the ways to give credentials; what has no value is undefined. */
interface Pair {
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly asSent?: string;
  readonly basic: boolean;
  /** Said when half of it is missing. */
  readonly needed: string;
  /** Its username may be that of an OAuth client, which is no credential by itself (RFC 6749 §3.2.1). */
  readonly mayBeBare: boolean;
}

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
  const pairs = [pairIn(parameters, "username", "password"), pairIn(parameters, "client_id", "client_secret")];
  if (authorization !== undefined) {
    const byBasic = readBasic(authorization);
    if ("error" in byBasic) return byBasic;
    pairs.push(byBasic);
  }
  return onlyOf(pairs);
};

/** Stock clients send a bare or made-up client_id beside the credentials: that is not another way. */
const onlyOf = (pairs: readonly Pair[]): CredentialsOrRefusal => {
  let found: Credentials | undefined;
  let missing = "The parameters username and password are required.";
  for (const { username, password, asSent, basic, needed, mayBeBare } of pairs) {
    if (username !== undefined && password !== undefined) {
      if (found !== undefined) {
        return refusal("invalid_request", "Give the credentials in one way only: in the body or by HTTP Basic.");
      }
      found = { username, password, basic, ...(asSent !== undefined && { asSent }) };
    } else if (username !== undefined && mayBeBare) {
      missing = needed;
    } else if (username !== undefined || password !== undefined) {
      return refusal("invalid_request", needed);
    }
  }
  return found ?? refusal("invalid_request", missing);
};

/** What Swagger UI, and so FastAPI's page, puts in for a secret that was not filled in. Too short for any password. */
const PLACEHOLDERS: readonly (string | undefined)[] = ["string", "********"];

const pairIn = (parameters: ReadonlyMap<string, string>, name: string, secret: string): Pair => {
  const ofClient = name === "client_id";
  const password = parameters.get(secret);
  return {
    username: parameters.get(name),
    password: ofClient && PLACEHOLDERS.includes(password) ? undefined : password,
    basic: false,
    needed: `The parameters ${name} and ${secret} are required.`,
    mayBeBare: ofClient,
  };
};

const readParameters = (contentType: string | undefined, body: Uint8Array): Map<string, string> | TokenRefusal => {
  if (body.length === 0) return new Map();
  const type = mediaTypeOf(contentType ?? "");
  // Drops a byte-order mark, which a body that was written to a file first may have.
  const text = new TextDecoder().decode(body);
  if (type === "application/x-www-form-urlencoded") return collect(new URLSearchParams(text));
  if (type === "application/json") return readJson(text);
  return refusal("invalid_request", "Send the body as application/x-www-form-urlencoded or application/json.");
};

/** These may be given more than once (RFC 8707 §2, RFC 8693 §2.1). They mean nothing here. */
const REPEATABLE: readonly string[] = ["resource", "audience"];

/** RFC 6749 §3.2: what has no value was not sent, and no parameter may be sent more than once. */
const collect = (entries: Iterable<readonly [string, string]>): Map<string, string> | TokenRefusal => {
  const parameters = new Map<string, string>();
  for (const [name, value] of entries) {
    if (value === "" || REPEATABLE.includes(name)) continue;
    if (parameters.has(name)) return refusal("invalid_request", "A parameter is given more than once.");
    parameters.set(name, value);
  }
  return parameters;
};

const KNOWN: readonly string[] = ["grant_type", "username", "password", "client_id", "client_secret"];

const readJson = (text: string): Map<string, string> | TokenRefusal => {
  const notAnObject = refusal("invalid_request", "The JSON body must be an object whose members are strings.");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return notAnObject;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return notAnObject;
  const names = memberNames(text);
  if (new Set(names).size < names.length) return refusal("invalid_request", "A parameter is given more than once.");
  // Programs write null for what they have not set.
  const known = Object.entries(value).filter(([name, member]) => KNOWN.includes(name) && member !== null);
  return known.every(([, member]) => typeof member === "string") ? collect(known) : notAnObject;
};

/** The names in the outermost object of a valid JSON text, each as often as it stands there: JSON.parse keeps the last. */
const memberNames = (json: string): readonly string[] => {
  const names: string[] = [];
  let depth = 0;
  for (const [token, text, colon] of json.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|[{}[\]]/g)) {
    if (token === "{" || token === "[") depth += 1;
    else if (token === "}" || token === "]") depth -= 1;
    else if (depth === 1 && colon !== undefined) names.push(JSON.parse(text as string));
  }
  return names;
};

/** Both parts are form-encoded before they are joined (RFC 6749 §2.3.1), but many clients join them as they are. */
const readBasic = (authorization: string): Pair | TokenRefusal => {
  const encoded = /^Basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization)?.[1];
  const text = encoded === undefined ? "" : decodeText(Buffer.from(encoded, "base64"));
  const colon = text.indexOf(":");
  if (colon === -1) {
    return refusal("invalid_request", "The Authorization field does not hold Basic credentials.");
  }
  const asSent = text.slice(colon + 1);
  return {
    // No username has a character that the encoding changes, so there is nothing to try beside it.
    username: formDecode(text.slice(0, colon)) || undefined,
    password: formDecode(asSent) || undefined,
    asSent,
    basic: true,
    needed: "HTTP Basic needs a username and a password.",
    mayBeBare: true,
  };
};

/** UTF-8, else the older ISO-8859-1: both are in use (RFC 7617 §3). */
const decodeText = (bytes: Uint8Array): string => {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return Buffer.from(bytes).toString("latin1");
  }
};

/** @returns the part itself where it is no valid encoding */
const formDecode = (part: string): string => {
  try {
    return decodeURIComponent(part.replaceAll("+", " "));
  } catch {
    return part;
  }
};
