/** What becomes of a field on its way through. */
export const KEEP = 0;
export const DROP = 1;
export const CONNECTION = 2;
export const VIA = 3;
export const FRAMING = 4;
/** May name the upstream: see service-address.ts. */
export const ADDRESS = 5;
/** `Access-Control-*` of a response: the gateway may be the one to say it. */
export const CORS = 6;
export type Fate =
  | typeof KEEP
  | typeof DROP
  | typeof CONNECTION
  | typeof VIA
  | typeof FRAMING
  | typeof ADDRESS
  | typeof CORS;

export interface FieldName {
  /** Lower-case, `_` as `-`: CGI and WSGI servers make one variable of both spellings, so both are one name here. */
  readonly normal: string;
  readonly fate: Fate;
}

/** RFC 9110 §7.6.1, and the older fields that implementations treat the same way. */
export const HOP_BY_HOP: readonly string[] = [
  "keep-alive",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "upgrade",
  "http2-settings",
];

/** Enough for every name honest clients use; beyond it names are judged each time, so that nobody can fill the memory. */
const MAX_REMEMBERED = 512;

export const normalFieldName = (name: string): string => name.toLowerCase().replaceAll("_", "-");

/** Judges field names, and remembers the verdict by the exact spelling: a look-up costs less than a lower-case copy. */
export class FieldNames {
  readonly #judge: (normal: string) => Fate;
  readonly #known = new Map<string, FieldName>();

  constructor(judge: (normal: string) => Fate) {
    this.#judge = judge;
  }

  of(name: string): FieldName {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const normal = normalFieldName(name);
    const field = { normal, fate: this.#judge(normal) };
    if (this.#known.size < MAX_REMEMBERED) this.#known.set(name, field);
    return field;
  }
}

/** Whether `Connection` names more than the connection's own persistence. */
export const namesFields = (connection: string): boolean => {
  const lower = connection.toLowerCase();
  return lower !== "keep-alive" && lower !== "close";
};

/** Removes from name, value, name, value … every field that a `Connection` value names. */
export const withoutNamed = (fields: readonly string[], connection: string): string[] => {
  const named = new Set(connection.split(",").map((option) => normalFieldName(option.trim())));
  const kept: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? "";
    if (!named.has(normalFieldName(name))) kept.push(name, fields[i + 1] ?? "");
  }
  return kept;
};
