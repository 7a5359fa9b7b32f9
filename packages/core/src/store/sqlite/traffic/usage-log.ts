import { AigwError } from "../../../errors.ts";
import type { UsageEvent, UsageFilter } from "../../../usage/usage-event.ts";
import type { UsagePage } from "../../store.ts";
import type { Database } from "../files/database.ts";
import { conditions, toEvent, UNPRICED, type UsageRow } from "./usage-row.ts";

/**
 * The usage events. A cursor is a `seq`: those are given inside the write lock, so a lower one never appears later.
 */
export class UsageLog {
  readonly #db: Database;
  #known: { readonly dataVersion: number; readonly seq: number } | undefined;

  constructor(db: Database) {
    this.#db = db;
  }

  record(events: readonly UsageEvent[]): void {
    if (events.length === 0) return;
    this.#known = undefined;
    this.#db.immediate(() => insert(this.#db, events));
  }

  latest(filter: UsageFilter, limit: number): UsagePage {
    const newest = this.#newest();
    const { where, values } = conditions(filter);
    const rows = this.#db.all<UsageRow>(
      `SELECT * FROM usage WHERE seq <= ?${where} ORDER BY seq DESC LIMIT ?`,
      newest,
      ...values,
      limit,
    );
    return { events: rows.map(toEvent).reverse(), cursor: String(newest) };
  }

  after(cursor: string, filter: UsageFilter, limit: number): UsagePage {
    const from = parseCursor(cursor);
    const newest = this.#newest();
    if (newest <= from) return { events: [], cursor };
    const { where, values } = conditions(filter);
    const rows = this.#db.all<UsageRow>(
      `SELECT * FROM usage WHERE seq > ? AND seq <= ?${where} ORDER BY seq LIMIT ?`,
      from,
      newest,
      ...values,
      limit,
    );
    // A full page may have more behind it; else everything up to the newest was looked at.
    const last = rows.length < limit ? newest : (rows.at(-1)?.seq ?? from);
    return { events: rows.map(toEvent), cursor: String(last) };
  }

  /** The last seq given, 0 for none; no query when nobody wrote. */
  #newest(): number {
    const dataVersion = this.#db.dataVersion();
    if (this.#known?.dataVersion === dataVersion) return this.#known.seq;
    const seq = this.#db.get<{ seq: number | null }>("SELECT max(seq) AS seq FROM usage")?.seq ?? 0;
    this.#known = { dataVersion, seq };
    return seq;
  }
}

const COLUMNS =
  "id, at, client, service, method, path, status, latency_ms, upstream_ms, bytes_in, bytes_out, request_id, outcome, reason, count, seal";
const WORTH_COLUMNS = "units, metered, read_from, model, unread, cost, plan, fallback, queued_ms";
/** Rows of one statement: a quarter cheaper than one by one. */
const TOGETHER = 20;

const insertSql = (columns: string, rows: number): string =>
  `INSERT INTO usage (${columns}) VALUES ${Array(rows)
    .fill(`(${columns.replace(/\w+/g, "?")})`)
    .join(", ")}
   ON CONFLICT (id) DO NOTHING`;

const inserts = (columns: string): { readonly one: string; readonly together: string } => ({
  one: insertSql(columns, 1),
  together: insertSql(columns, TOGETHER),
});

const PLAIN = inserts(COLUMNS);
const WORTHY = inserts(`${COLUMNS}, ${WORTH_COLUMNS}`);

const insert = (db: Database, events: readonly UsageEvent[]): void => {
  let from = 0;
  for (; from + TOGETHER <= events.length; from += TOGETHER) insertSome(db, events, from, from + TOGETHER);
  for (; from < events.length; from += 1) insertSome(db, events, from, from + 1);
};

/** One of them, or as many as a statement takes. */
const insertSome = (db: Database, events: readonly UsageEvent[], from: number, to: number): void => {
  const some = events.slice(from, to);
  // A service without a meter does not pay for the columns that it leaves empty.
  const isWorthy = some.some(hasWorth);
  const { one, together } = isWorthy ? WORTHY : PLAIN;
  const values: Value[] = [];
  for (const event of some) {
    pushValues(values, event);
    if (isWorthy) pushWorth(values, event);
  }
  db.run(to - from === 1 ? one : together, ...values);
};

const hasWorth = ({ units, metered, model, cost, plan, fallback, queuedMs }: UsageEvent): boolean =>
  metered !== undefined ||
  plan !== undefined ||
  cost !== undefined ||
  model !== undefined ||
  units !== undefined ||
  fallback !== undefined ||
  queuedMs !== undefined;

type Value = string | number | null;

/** Into one array: an array for each event, to be joined, would cost as much again. */
const pushValues = (values: Value[], event: UsageEvent): void => {
  values.push(
    event.id,
    event.at,
    event.client,
    event.service,
    event.method,
    event.path,
    event.status,
    event.latencyMs,
    event.upstreamMs ?? null,
    event.bytesIn,
    event.bytesOut,
    event.requestId,
    event.outcome,
    event.reason ?? null,
    event.count ?? 1,
    event.seal ?? null,
  );
};

const pushWorth = (values: Value[], event: UsageEvent): void => {
  values.push(
    event.units === undefined ? null : JSON.stringify(event.units),
    event.metered ?? null,
    event.from ?? null,
    event.model ?? null,
    event.unread ?? null,
    event.cost === undefined ? null : (event.cost ?? UNPRICED),
    event.plan ?? null,
    event.fallback ?? null,
    event.queuedMs ?? null,
  );
};

const parseCursor = (cursor: string): number => {
  if (/^[0-9]{1,15}$/.test(cursor)) return Number(cursor);
  throw new AigwError("invalid_value", `'${cursor}' is not a cursor of this store. Use one that it returned.`);
};
