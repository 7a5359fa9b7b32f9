import type { JobRules } from "../jobs/job-rules.ts";
import type { Reach } from "./reach.ts";

/** A service: a name under `/api/` and the upstream behind it. */
export interface Service extends Reach {
  /** `s_` + 16 characters. */
  readonly id: string;
  /** Unique; see {@link parseServiceName}. */
  readonly name: string;
  /**
   * Of its first target: an absolute http(s) URL without user info, query or fragment, whose path is the base path; or
   * `unix:/path/of/socket`, with `:/base` behind it where there is a base path.
   */
  readonly url: string;
  /** How long the upstream may take to send response headers, milliseconds. */
  readonly timeoutMs: number;
  /** How long a transfer may stand still mid-stream, milliseconds. */
  readonly idleTimeoutMs: number;
  /** Headers set on every request to the upstream, such as its API key; values sealed. */
  readonly headers: readonly SealedHeader[];
  /** In place of the setting `cors-origins`; see parseServiceCors. */
  readonly corsOrigins?: string;
  /** What clients are told of it; see public-facts.ts. */
  readonly description?: string;
  /** Plain text; `{{endpoint}}` in it stands for the public URL. */
  readonly example?: string;
  readonly docsUrl?: string;
  /** What its calls are worth is read so; see parseMeters. Absent: not at all. */
  readonly meter?: string;
  /** Streams are asked for their totals where the client did not: see askUsage of the runtime. */
  readonly askUsage?: true;
  /** What a call sets aside of its client's quotas before it is known, in its canonical text; see parseReserves. */
  readonly reserve?: string;
  /** What calls cost: one list for a model pattern at most, that for every model first, the most specific last. */
  readonly prices?: readonly StoredPriceList[];
  /** Its calls may become jobs. */
  readonly jobs?: JobRules;
  readonly createdAt: number;
}

/** A price list in the texts that parseModelPattern and parsePrice take. */
export interface StoredPriceList {
  /** Absent: for every model, and for calls without one. */
  readonly model?: string;
  /** Such as `input_tokens=0.15/1M`, in the order of the units' names; one for a unit, never none. */
  readonly prices: readonly string[];
}

export interface SealedHeader {
  readonly name: string;
  /** Sealed with the master key for the purpose `service-header`; see sealing/. */
  readonly sealedValue: string;
}

export const DEFAULT_TIMEOUT_MS = 60_000;
export const DEFAULT_IDLE_TIMEOUT_MS = 300_000;
