import { type ControlState, emptyControlState } from "../../../changes/control-state.ts";
import type { Client } from "../../../clients/client.ts";
import type { Database } from "../files/database.ts";
import { lastRev, readKeyring, readPlans, readServices, readSettings } from "./views.ts";

/**
 * The views and the revision, as of one moment. 100,000 clients take some 0.5 s, most of it parsing JSON. For gateways:
 * commands read what they need, and do without what keeps clients packed.
 */
export const readState = (db: Database): ControlState =>
  db.reading(() => {
    const state = emptyControlState();
    for (const client of readClientsInBulk(db)) state.clients.put(client);
    for (const service of readServices(db)) state.services.set(service.name, service);
    for (const plan of readPlans(db)) state.plans.set(plan.name, plan);
    state.keyring = readKeyring(db);
    for (const [key, value] of readSettings(db)) state.settings.set(key, value);
    state.rev = lastRev(db);
    return state;
  });

const BULK = 1_000;

/** One JSON text per chunk: fewer crossings into SQLite than a row each, and no string near the engine's limit. */
function* readClientsInBulk(db: Database): Generator<Client> {
  let after = 0;
  for (;;) {
    const row = db.get<{ records: string | null; last: number | null }>(
      `SELECT group_concat(record) AS records, max(row) AS last
       FROM (SELECT record, rowid AS row FROM clients WHERE rowid > ? ORDER BY rowid LIMIT ${BULK})`,
      after,
    );
    if (row === undefined || row.records === null || row.last === null) return;
    const chunk: readonly Client[] = JSON.parse(`[${row.records}]`);
    yield* chunk;
    after = row.last;
  }
}
