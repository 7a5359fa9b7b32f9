import { OUTCOMES } from "../../../usage/usage-event.ts";
import { isTimed } from "../../../usage/usage-report.ts";
import type { Database } from "../files/database.ts";
import { foldedSeq, ROLLUPS } from "./usage-rollup.ts";

const LET_IN = ` AND outcome NOT IN (${OUTCOMES.filter((outcome) => !isTimed(outcome))
  .map((outcome) => `'${outcome}'`)
  .join(", ")})`;

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
      foldedSeq(db),
    );
    for (const { client, last } of rest)
      if (asked.has(client)) found.set(client, Math.max(last, found.get(client) ?? last));
    return found;
  });
