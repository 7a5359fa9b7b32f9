import { AigwError } from "../errors.ts";

/** How a service's calls may become jobs; see {@link Service}. */
export interface JobRules {
  /** How long an answer is kept, milliseconds. */
  readonly keepMs: number;
  /** Its calls may be made again when a gateway ended in the middle of one. */
  readonly retry?: true;
  /** Where call-backs may go, see {@link parseCallbackOrigins}; absent: nowhere. */
  readonly callbackOrigins?: readonly string[];
}

export const DEFAULT_KEEP_MS = 86_400_000;
const MAX_ORIGINS = 32;

/** `30m`, `24h`, `7d` → milliseconds, from 1 s to 30 days. */
export const parseKeep = (value: string): number => {
  const [, number, unit = "s"] = /^([0-9]{1,7})(s|m|h|d)$/.exec(value) ?? [];
  const ms = Number(number) * ({ s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit] ?? 0);
  if (ms >= 1_000 && ms <= 30 * 86_400_000) return ms;
  throw new AigwError("invalid_value", `time to keep '${value}' is not valid: use 30m, 24h or 7d; 1s to 30d.`);
};

/** A list of origins with commas, `https://app.example.com,http://127.0.0.1:9000`; `none` for none. */
export const parseCallbackOrigins = (value: string): readonly string[] => {
  if (value.trim() === "none") return [];
  const origins = value.split(",").map((part) => originOf(part.trim()));
  if (origins.length <= MAX_ORIGINS) return [...new Set(origins)].sort();
  throw new AigwError("invalid_value", `A service has ${MAX_ORIGINS} callback origins at most.`);
};

const originOf = (value: string): string => {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && (value === url.origin || value === `${url.origin}/`)) {
    return url.origin;
  }
  throw new AigwError(
    "invalid_value",
    `callback origin '${value}' is not valid: use a scheme, a host and a port, such as https://app.example.com, or none.`,
  );
};

/** `500m`, `20g` → bytes, from 1m to 16384g. */
export const parseSize = (what: string, value: string): number => {
  const [, number, unit = "g"] = /^([0-9]{1,5})(m|g)$/i.exec(value) ?? [];
  const bytes = Number(number) * (unit.toLowerCase() === "m" ? 2 ** 20 : 2 ** 30);
  if (bytes >= 2 ** 20 && bytes <= 2 ** 44) return bytes;
  throw new AigwError("invalid_value", `${what} '${value}' is not valid: use 500m or 20g; 1m to 16384g.`);
};
