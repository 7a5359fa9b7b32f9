import type { LastCall } from "../../../transfer/parts.ts";
import { DAY_MS } from "../../../usage/report-plan.ts";
import { OUTCOMES } from "../../../usage/usage-event.ts";
import { isTimed } from "../../../usage/usage-report.ts";
import type { Database } from "../files/database.ts";
import { settledSeq } from "./usage-rollup.ts";
import { ROLLUPS } from "./usage-rollup-shape.ts";

const REFUSED = `(${OUTCOMES.filter((outcome) => !isTimed(outcome))
  .map((outcome) => `'${outcome}'`)
  .join(", ")})`;
const LET_IN = ` AND outcome NOT IN ${REFUSED}`;

/**
 * By the client's latest day, two steps down an index; and by what is not folded yet.
 * @param letIn only calls that were let through to a service
 */
export const readLastUsage = (db: Database, clients: readonly string[], letIn: boolean): ReadonlyMap<string, number> =>
  db.reading(() => {
    const only = letIn ? LET_IN : "";
    const found = new Map<string, number>();
    for (const client of clients) {
      const last = db.get<{ last: number | null }>(
        `SELECT max(last_at) AS last FROM ${ROLLUPS.days}
         WHERE client = ?1${only} AND period = (SELECT max(period) FROM ${ROLLUPS.days} WHERE client = ?1${only})`,
        client,
      )?.last;
      if (last !== null && last !== undefined) found.set(client, last);
    }
    const asked = new Set(clients);
    const rest = db.all<{ client: string; last: number }>(
      `SELECT client, max(at) AS last FROM usage WHERE seq > ?${only} GROUP BY client`,
      settledSeq(db),
    );
    for (const { client, last } of rest)
      if (asked.has(client)) found.set(client, Math.max(last, found.get(client) ?? last));
    return found;
  });

/** Of all clients after this one, by name, as far as it is in the sums. */
export const readLastCalls = (db: Database, after: string, limit: number): readonly LastCall[] =>
  db
    .all<{ client: string; at: number; letInAt: number | null }>(
      `SELECT client, max(last_at) AS at, max(CASE WHEN outcome NOT IN ${REFUSED} THEN last_at END) AS letInAt
       FROM ${ROLLUPS.days} WHERE client > ? GROUP BY client ORDER BY client LIMIT ?`,
      after,
      limit,
    )
    .map(({ client, at, letInAt }) => ({ client, at, ...(letInAt !== null && { letInAt }) }));

/** After the days' sums, which it is kept with: in the row of a call that was let in, or of one that was refused. */
export const writeLastCall = (db: Database, { client, at, letInAt }: LastCall): void => {
  const write = (time: number, outcomes: string): void => {
    const sql = `UPDATE ${ROLLUPS.days} SET last_at = ? WHERE client = ? AND period = ? AND outcome ${outcomes} ${REFUSED}`;
    db.run(sql, time, client, Math.floor(time / DAY_MS));
  };
  if (letInAt !== undefined) write(letInAt, "NOT IN");
  if (at !== letInAt) write(at, "IN");
};
