import type { ChangeDraft } from "../../../changes/change.ts";
import type { Client } from "../../../clients/client.ts";
import type { SettingKey } from "../../../config/settings.ts";
import type { Keyring } from "../../../keys/signing-key.ts";
import type { Plan } from "../../../plans/plan.ts";
import type { Service } from "../../../services/service.ts";
import type { Database } from "../files/database.ts";

/** Applies an effect to the views; runs in the transaction that appends it. */
export const foldIntoViews = (db: Database, draft: ChangeDraft): void => {
  switch (draft.action) {
    case "client.add":
    case "client.set":
    case "client.passwd":
    case "client.proven":
    case "client.rehash":
    case "client.revoke":
    case "client.restore":
      db.run(
        `INSERT INTO clients (name, id, record) VALUES (?, ?, ?)
         ON CONFLICT (name) DO UPDATE SET id = excluded.id, record = excluded.record`,
        draft.after.name,
        draft.after.id,
        JSON.stringify(draft.after),
      );
      return;
    case "client.remove":
      db.run("DELETE FROM clients WHERE name = ?", draft.subject);
      return;
    case "service.add":
    case "service.set":
      db.run(
        "INSERT INTO services VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET record = excluded.record",
        draft.subject,
        JSON.stringify(draft.after),
      );
      return;
    case "service.remove":
      db.run("DELETE FROM services WHERE name = ?", draft.subject);
      return;
    case "plan.add":
    case "plan.set":
      db.run(
        "INSERT INTO plans VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET record = excluded.record",
        draft.subject,
        JSON.stringify(draft.after),
      );
      return;
    case "plan.remove":
      db.run("DELETE FROM plans WHERE name = ?", draft.subject);
      return;
    case "secret.create":
    case "secret.rotate":
    case "secret.publish":
    case "secret.activate":
    case "secret.withdraw":
    case "secret.retire":
    case "secret.restore":
      db.run(
        "INSERT INTO keyring VALUES (1, ?) ON CONFLICT (only) DO UPDATE SET record = excluded.record",
        JSON.stringify(draft.after),
      );
      return;
    case "config.set":
      db.run(
        "INSERT INTO settings VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        draft.subject,
        draft.after,
      );
      return;
    case "config.unset":
      db.run("DELETE FROM settings WHERE key = ?", draft.subject);
      return;
    default:
      draft satisfies never;
  }
};

interface RecordRow {
  readonly record: string;
}

export const readClient = (db: Database, name: string): Client | undefined =>
  parsed<Client>(db.get<RecordRow>("SELECT record FROM clients WHERE name = ?", name));

export const readClients = (db: Database): readonly Client[] =>
  db.all<RecordRow>("SELECT record FROM clients ORDER BY name").map((row): Client => JSON.parse(row.record));

export const readService = (db: Database, name: string): Service | undefined =>
  parsed<Service>(db.get<RecordRow>("SELECT record FROM services WHERE name = ?", name));

export const readServices = (db: Database): readonly Service[] =>
  db.all<RecordRow>("SELECT record FROM services ORDER BY name").map((row): Service => JSON.parse(row.record));

export const readPlan = (db: Database, name: string): Plan | undefined =>
  parsed<Plan>(db.get<RecordRow>("SELECT record FROM plans WHERE name = ?", name));

export const readPlans = (db: Database): readonly Plan[] =>
  db.all<RecordRow>("SELECT record FROM plans ORDER BY name").map((row): Plan => JSON.parse(row.record));

export const readKeyring = (db: Database): Keyring =>
  parsed<Keyring>(db.get<RecordRow>("SELECT record FROM keyring")) ?? [];

export const readSettings = (db: Database): Map<SettingKey, string> =>
  new Map(
    db.all<{ key: SettingKey; value: string }>("SELECT key, value FROM settings").map((row) => [row.key, row.value]),
  );

const parsed = <T>(row: RecordRow | undefined): T | undefined =>
  row === undefined ? undefined : (JSON.parse(row.record) as T);

export const lastRev = (db: Database): number =>
  db.get<{ rev: number | null }>("SELECT max(rev) AS rev FROM changes")?.rev ?? 0;
