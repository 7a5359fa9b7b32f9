import type { Action, Change, ChangeDraft } from "../../changes/change.ts";
import type { ControlState } from "../../changes/control-state.ts";
import type { Client } from "../../clients/client.ts";
import type { SettingKey } from "../../config/settings.ts";
import { AigwError, isAigwError } from "../../errors.ts";
import type { Keyring } from "../../keys/signing-key.ts";
import type { Service } from "../../services/service.ts";
import type { ControlStore } from "../store.ts";
import { CONTROL_SCHEMA } from "./control-schema.ts";
import { Database } from "./database.ts";
import { DiskReserve } from "./files/disk-space.ts";
import { assertSameVersion } from "./migrations.ts";
import * as views from "./views.ts";

interface ChangeRow {
  readonly rev: number;
  readonly at: number;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly after: string;
}

/** What ends a right must be possible on a full disk, too: for these the reserve is there. */
const ENDS_A_RIGHT: ReadonlySet<Action> = new Set<Action>([
  "client.revoke",
  "client.remove",
  "client.passwd",
  "service.remove",
  "secret.rotate",
  "secret.publish",
  "secret.activate",
  "secret.withdraw",
]);

/** The change log in `aigw.db`. Everything is synchronous; a statement blocks for the busy timeout at most. */
export class SqliteControl implements ControlStore {
  readonly storeId: string;
  /** See sealKeyCheck. */
  readonly keyCheck: string;
  readonly #db: Database;
  readonly #reserve: DiskReserve;
  /** The head as it was at a data version: valid until another connection commits. */
  #known: { readonly dataVersion: number; readonly rev: number } | undefined;

  constructor(db: Database, reserve: DiskReserve = new DiskReserve(db.path)) {
    this.#db = db;
    this.#reserve = reserve;
    this.storeId = readMeta(db, "store_id");
    this.keyCheck = readMeta(db, "key_check");
  }

  /** Opens a control database, which must exist. @throws AigwError `insecure_permissions`, `store_*` */
  static open(path: string, busyTimeoutMs: number): SqliteControl {
    const reserve = new DiskReserve(path);
    // Opening it as the only one takes some space, too.
    const db = reserve.during(() => Database.open(path, CONTROL_SCHEMA, busyTimeoutMs));
    reserve.restore();
    try {
      return new SqliteControl(db, reserve);
    } catch (error) {
      db.close();
      throw error;
    }
  }

  head(): number {
    this.#db.assertInPlace();
    // Read before the log: a commit in between is then seen next time, not missed.
    const dataVersion = this.#db.dataVersion();
    if (this.#known?.dataVersion === dataVersion) return this.#known.rev;
    const rev = lastRev(this.#db);
    this.#known = { dataVersion, rev };
    return rev;
  }

  changesAfter(after: number, limit: number): readonly Change[] {
    return this.#db
      .all<ChangeRow>("SELECT * FROM changes WHERE rev > ? ORDER BY rev LIMIT ?", after, limit)
      .map(toChange);
  }

  latestChanges(query: { readonly limit: number; readonly subject?: string }): readonly Change[] {
    const rows =
      query.subject === undefined
        ? this.#db.all<ChangeRow>("SELECT * FROM changes ORDER BY rev DESC LIMIT ?", query.limit)
        : this.#db.all<ChangeRow>(
            "SELECT * FROM changes WHERE subject = ? ORDER BY rev DESC LIMIT ?",
            query.subject,
            query.limit,
          );
    return rows.map(toChange);
  }

  append(expectedRev: number, draft: ChangeDraft, act: { at: number; actor: string }): Change {
    this.#db.assertInPlace();
    this.#known = undefined;
    const append = (): Change =>
      this.#db.immediate(() => {
        assertSameVersion(this.#db, CONTROL_SCHEMA);
        return appendChange(this.#db, expectedRev, draft, act);
      });
    const change = ENDS_A_RIGHT.has(draft.action) ? this.#withReserve(append) : append();
    // The write-ahead log still holds the purged text.
    if (draft.action === "client.remove") this.#cutLog();
    return change;
  }

  /** Kept by gateways, as usage is what comes by itself. */
  keepReserve(): void {
    this.#reserve.keep();
  }

  close(): void {
    this.#db.close();
    this.#reserve.restore();
  }

  /** The reserve stays released until the store is closed: what confirms the change has to be written, too. */
  #withReserve(append: () => Change): Change {
    try {
      return this.#reserve.during(append);
    } catch (error) {
      if (!isAigwError(error, "store_full")) throw error;
      // What the log holds that is in the database already is space as well.
      this.#cutLog();
      return append();
    }
  }

  /** For upkeep only: everybody else goes through the methods. */
  get database(): Database {
    return this.#db;
  }

  snapshot(): ControlState {
    return this.#db.reading(() => {
      const state = views.readViews(this.#db);
      state.rev = lastRev(this.#db);
      return state;
    });
  }

  client(name: string): Client | undefined {
    return views.readClient(this.#db, name);
  }

  clients(): readonly Client[] {
    return views.readClients(this.#db);
  }

  service(name: string): Service | undefined {
    return views.readService(this.#db, name);
  }

  services(): readonly Service[] {
    return views.readServices(this.#db);
  }

  keyring(): Keyring {
    return views.readKeyring(this.#db);
  }

  settings(): ReadonlyMap<SettingKey, string> {
    return views.readSettings(this.#db);
  }

  /** Best effort: a reader may be in the way. The next checkpoint or the last close does it then. */
  #cutLog(): void {
    try {
      this.#db.get("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch {
      // What was committed is durable all the same.
    }
  }
}

/** Runs in a transaction that holds the write lock. */
export const appendChange = (
  db: Database,
  expectedRev: number,
  draft: ChangeDraft,
  act: { readonly at: number; readonly actor: string },
): Change => {
  const head = lastRev(db);
  if (head !== expectedRev) {
    throw new AigwError(
      "changed_meanwhile",
      `Somebody else changed the configuration meanwhile (revision ${head}, expected ${expectedRev}). Try again.`,
      { details: { head, expected: expectedRev } },
    );
  }
  const rev = head + 1;
  db.run(
    "INSERT INTO changes (rev, at, actor, action, subject, after) VALUES (?, ?, ?, ?, ?, ?)",
    rev,
    act.at,
    act.actor,
    draft.action,
    draft.subject,
    JSON.stringify(draft.after),
  );
  views.foldIntoViews(db, draft);
  // A service may bear the same name; its changes stay.
  if (draft.action === "client.remove") {
    db.run(
      `UPDATE changes SET after = '{"purged":true}'
       WHERE subject = ? AND rev < ? AND action LIKE 'client.%' AND action <> 'client.remove'`,
      draft.subject,
      rev,
    );
  }
  return { ...draft, rev, at: act.at, actor: act.actor };
};

const lastRev = (db: Database): number =>
  db.get<{ rev: number | null }>("SELECT max(rev) AS rev FROM changes")?.rev ?? 0;

const readMeta = (db: Database, key: string): string => {
  const value = db.get<{ value: string }>("SELECT value FROM meta WHERE key = ?", key)?.value;
  if (value !== undefined) return value;
  throw new AigwError("store_corrupt", `The database ${db.path} lacks its ${key}. Restore it from a backup.`);
};

const toChange = (row: ChangeRow): Change => {
  const { rev, at, actor, action, subject, after } = row;
  // The log holds what append() was given, so the row's parts belong together.
  return { rev, at, actor, action, subject, after: JSON.parse(after) as unknown } as Change;
};
