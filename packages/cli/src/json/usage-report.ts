import { latencyOf, sumInWords, type UsageTally } from "@aigw/core/usage";

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
  /** Sums of what calls were worth, by unit; only units that were read. */
  readonly units: Readonly<Record<string, number>>;
  /** Of the calls that had a price; null when none had. */
  readonly cost: number | null;
  /** Requests without a price, of services with a meter or prices. */
  readonly unpriced: number;
  /** Requests that a meter looked at, those that it read nothing from, and those that it estimated. */
  readonly metered: number;
  readonly unread: number;
  readonly estimated: number;
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
    units: Object.fromEntries(unitsOf(tally).map(([unit, sum]) => [unit, Number(sumInWords(sum))])),
    cost: tally.priced === 0 ? null : Number(sumInWords(tally.cost)),
    ...{ unpriced: tally.unpriced, metered: tally.metered, unread: tally.unread, estimated: tally.estimated },
  };
};

/** By their names. */
export const unitsOf = ({ units }: UsageTally): readonly (readonly [unit: string, sum: bigint])[] =>
  [...units].toSorted(([one], [other]) => (one < other ? -1 : 1));

const rounded = (ms: number): number => Math.round(ms * 100) / 100;
