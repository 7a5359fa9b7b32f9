import type { SQLInputValue } from "node:sqlite";
import type { Metered, MeterProblem } from "../../../meters/meter-problem.ts";
import type { Units } from "../../../meters/unit.ts";
import { HOUR_MS } from "../../../usage/report-plan.ts";
import type { Outcome, UsageEvent, UsageFilter } from "../../../usage/usage-event.ts";
import { addCalls, type CountedEvent, type HourSums } from "../../../usage/usage-groups.ts";
import type { Database } from "../files/database.ts";

export interface UsageRow extends WorthColumns {
  readonly seq: number;
  readonly id: string;
  readonly at: number;
  readonly client: string;
  readonly service: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly latency_ms: number;
  readonly upstream_ms: number | null;
  readonly bytes_in: number;
  readonly bytes_out: number;
  readonly request_id: string;
  readonly outcome: Outcome;
  readonly reason: string | null;
  readonly count: number;
  readonly seal: string | null;
  readonly read_from: "answer" | "request" | null;
  readonly unread: MeterProblem | null;
  readonly fallback: string | null;
  readonly queued_ms: number | null;
}

/** What a call was worth; all null without a meter, a price and a plan. */
interface WorthColumns {
  /** JSON. */
  readonly units: string | null;
  readonly metered: Metered | null;
  readonly model: string | null;
  /** {@link UNPRICED} for null. */
  readonly cost: number | null;
  readonly plan: string | null;
}

/** `cost` of an event that no price fits. */
export const UNPRICED = -1;

export const conditions = (
  filter: UsageFilter,
): { readonly where: string; readonly values: readonly SQLInputValue[] } => {
  let where = "";
  const values: SQLInputValue[] = [];
  const add = (condition: string, ...more: SQLInputValue[]): void => {
    where += ` AND ${condition}`;
    values.push(...more);
  };
  if (filter.client !== undefined) add("client = ?", filter.client);
  if (filter.service !== undefined) add("service = ?", filter.service);
  if (filter.status !== undefined) add("status BETWEEN ? AND ?", filter.status.from, filter.status.to);
  // The plus keeps the planner on seq order: the time index would make it sort a whole period for the last 20 rows.
  if (filter.since !== undefined) add("+at >= ?", filter.since);
  return { where, values };
};

export const toEvent = (row: UsageRow): UsageEvent => ({
  id: row.id,
  at: row.at,
  client: row.client,
  service: row.service,
  method: row.method,
  path: row.path,
  status: row.status,
  latencyMs: row.latency_ms,
  ...(row.upstream_ms === null ? {} : { upstreamMs: row.upstream_ms }),
  bytesIn: row.bytes_in,
  bytesOut: row.bytes_out,
  requestId: row.request_id,
  outcome: row.outcome,
  ...(row.fallback === null ? {} : { fallback: row.fallback }),
  ...(row.queued_ms === null ? {} : { queuedMs: row.queued_ms }),
  ...(row.reason === null ? {} : { reason: row.reason }),
  ...(row.count === 1 ? {} : { count: row.count }),
  ...worthOf(row),
  ...(row.read_from === null ? {} : { from: row.read_from }),
  ...(row.unread === null ? {} : { unread: row.unread }),
  ...(row.seal === null ? {} : { seal: row.seal }),
});

const worthOf = ({ units, metered, model, cost, plan }: WorthColumns): Partial<CountedEvent> => ({
  ...(units === null ? {} : { units: JSON.parse(units) as Units }),
  ...(metered === null ? {} : { metered }),
  ...(model === null ? {} : { model }),
  ...(cost === null ? {} : { cost: cost === UNPRICED ? null : cost }),
  ...(plan === null ? {} : { plan }),
});

/** What sums are made of, as {@link CountedRow} has them. */
const COUNTED_COLUMNS =
  "seq, at, client, service, status, outcome, latency_ms, bytes_in, bytes_out, count, model, plan, units, metered, cost";

/** Without names: an object for each event would cost as much again. */
export type CountedRow = readonly [
  seq: number,
  at: number,
  client: string,
  service: string,
  status: number,
  outcome: Outcome,
  latencyMs: number,
  bytesIn: number,
  bytesOut: number,
  count: number,
  model: string | null,
  plan: string | null,
  units: string | null,
  metered: Metered | null,
  cost: number | null,
];

export const addRow = (sums: HourSums, row: CountedRow): void => {
  const [at, count, units, metered, cost] = [row[1], row[9], row[12], row[13], row[14]];
  const hour = Math.floor(at / HOUR_MS);
  const group = sums.groupOf(hour, row[2], row[3], row[4], row[5], row[10] ?? "", row[11] ?? "");
  addCalls(group, at, row[6], row[7], row[8], count);
  if (units === null && metered === null && cost === null) return;
  const read = units === null ? undefined : (JSON.parse(units) as Units);
  sums.addWorth(group, read, cost === UNPRICED ? null : (cost ?? undefined), metered ?? undefined, count);
};

/** The next events behind a `seq`, up to another one, in the order they were stored. */
export const readCounted = (db: Database, from: number, to: number, limit: number): CountedRow[] =>
  db.arrays<CountedRow>(
    `SELECT ${COUNTED_COLUMNS} FROM usage WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?`,
    from,
    to,
    limit,
  );
