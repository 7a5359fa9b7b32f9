import { latencyOf, type UsageTally } from "@aigw/core/usage";

/** The figures of a report's row as scripts see them. `ok` + `errors` + `limited` + `denied` + `aborted` = `requests`. */
export interface TallyJson {
  readonly requests: number;
  readonly ok: number;
  /** Outcomes `upstream_error`, `timeout` and `incomplete`. */
  readonly errors: number;
  readonly limited: number;
  /** Outcomes `denied` and `revoked`. */
  readonly denied: number;
  readonly aborted: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Of calls that were let through to a service; null when there is none. The quantiles are estimated from a histogram. */
  readonly latencyMs: { readonly mean: number; readonly p50: number; readonly p95: number } | null;
}

export const tallyJson = (tally: UsageTally): TallyJson => {
  const { requests, errors, limited, denied, aborted, bytesIn, bytesOut } = tally;
  const latency = latencyOf(tally);
  return {
    requests,
    ok: requests - errors - limited - denied - aborted,
    errors,
    limited,
    denied,
    aborted,
    bytesIn,
    bytesOut,
    latencyMs:
      latency === undefined
        ? null
        : { mean: rounded(latency.mean), p50: rounded(latency.p50), p95: rounded(latency.p95) },
  };
};

const rounded = (ms: number): number => Math.round(ms * 100) / 100;
