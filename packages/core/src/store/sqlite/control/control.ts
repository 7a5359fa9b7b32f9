import {
  type Action,
  assertOneChange,
  type Change,
  type ChangeDraft,
  type Effect,
  isSuperseded,
} from "../../../changes/change.ts";
import type { ControlState } from "../../../changes/control-state.ts";
import type { Client } from "../../../clients/client.ts";
import type { SettingKey } from "../../../config/settings.ts";
import { AigwError, isAigwError, isStoreFault } from "../../../errors.ts";
import type { Keyring } from "../../../keys/signing-key.ts";
import type { Plan } from "../../../plans/plan.ts";
import type { Service } from "../../../services/service.ts";
import type { ControlStore } from "../../store.ts";
import { Database } from "../files/database.ts";
import { DiskReserve } from "../files/disk-space.ts";
import { assertSameVersion } from "../files/migrations.ts";
import { CONTROL_SCHEMA } from "./control-schema.ts";
import { eraseMarked, holds, mark, supersede } from "./erasure.ts";
import * as views from "./views.ts";

/** A change and one of its effects. */
interface EffectRow {
  readonly rev: number;
  readonly at: number;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly after: string;
  readonly secrets: "none" | "held" | "erased";
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

/** What gateways append of themselves: no request waits until the database is written anew, their keeper does that. */
const BY_GATEWAYS: ReadonlySet<Action> = new Set<Action>(["client.rehash", "secret.retire"]);
/** Written anew by the command that retires a secret; a larger database takes too long, and is left to a gateway's keeper. */
const ERASE_AT_ONCE_BYTES = 16 * 2 ** 20;

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
      const control = new SqliteControl(db, reserve);
      // Left by a command that was killed, or by the migration of an older database.
      control.#tryToErase();
      return control;
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
    const rev = views.lastRev(this.#db);
    this.#known = { dataVersion, rev };
    return rev;
  }

  changesAfter(after: number, limit: number): readonly Change[] {
    return readChanges(this.#db, after, limit);
  }

  latestChanges({ limit, subject }: { readonly limit: number; readonly subject?: string }): readonly Change[] {
    if (subject === undefined) {
      const sql = `${SELECT} WHERE rev > (SELECT max(rev) FROM changes) - ? ORDER BY rev DESC, seq`;
      return changesIn(this.#db.all<EffectRow>(sql, limit));
    }
    const sql = `${SELECT} WHERE subject = ? AND rev IN
      (SELECT DISTINCT rev FROM effects WHERE subject = ? ORDER BY rev DESC LIMIT ?) ORDER BY rev DESC, seq`;
    return changesIn(this.#db.all<EffectRow>(sql, subject, subject, limit));
  }

  append(expectedRev: number, drafts: readonly ChangeDraft[], act: { at: number; actor: string }): Change {
    assertOneChange(drafts);
    this.#db.assertInPlace();
    this.#known = undefined;
    const append = (): Change =>
      this.#db.immediate(() => {
        assertSameVersion(this.#db, CONTROL_SCHEMA);
        return appendChange(this.#db, expectedRev, drafts, act);
      });
    const change = drafts.some(({ action }) => ENDS_A_RIGHT.has(action)) ? this.#withReserve(append) : append();
    if (!drafts.some(({ action }) => BY_GATEWAYS.has(action))) this.#tryToErase();
    return change;
  }

  /** What was taken out of the log is out of the file, too, when it returns. See {@link eraseMarked}. */
  eraseRetired(): void {
    this.#known = undefined;
    eraseMarked(this.#db);
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

  async snapshot(): Promise<ControlState> {
    const { readState } = await import("./read-state.ts");
    return readState(this.#db);
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

  plan(name: string): Plan | undefined {
    return views.readPlan(this.#db, name);
  }

  plans(): readonly Plan[] {
    return views.readPlans(this.#db);
  }

  keyring(): Keyring {
    return views.readKeyring(this.#db);
  }

  settings(): ReadonlyMap<SettingKey, string> {
    return views.readSettings(this.#db);
  }

  /** Best effort: the mark stays. */
  #tryToErase(): void {
    this.#known = undefined;
    try {
      eraseMarked(this.#db, ERASE_AT_ONCE_BYTES);
    } catch (error) {
      if (!isStoreFault(error)) throw error;
    }
  }

  #cutLog(): void {
    try {
      this.#db.get("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch {
      // What was committed is durable all the same.
    }
  }
}

export const readChanges = (db: Database, after: number, limit: number): readonly Change[] => {
  // Revisions have no gaps.
  const sql = `${SELECT} WHERE rev > ? AND rev <= ? ORDER BY rev, seq`;
  return changesIn(db.all<EffectRow>(sql, after, after + limit));
};

/** Puts the next change of another store's log as it stands there; in a transaction. Views are right once all are in. */
export const importChange = (db: Database, { rev, at, actor, effects }: Change): void => {
  db.run("INSERT INTO changes (rev, at, actor) VALUES (?, ?, ?)", rev, at, actor);
  for (const effect of effects) {
    const { action, subject, after } = effect;
    const secrets = "superseded" in effect ? "erased" : holds(effect);
    db.run(INSERT_EFFECT, rev, action, subject, JSON.stringify(after), secrets);
    if (!isSuperseded(effect)) views.foldIntoViews(db, effect as ChangeDraft);
  }
};

const INSERT_EFFECT = "INSERT INTO effects (rev, action, subject, after, secrets) VALUES (?, ?, ?, ?, ?)";

/** Runs in a transaction that holds the write lock. */
export const appendChange = (
  db: Database,
  expectedRev: number,
  drafts: readonly ChangeDraft[],
  act: { readonly at: number; readonly actor: string },
): Change => {
  const head = views.lastRev(db);
  if (head !== expectedRev) {
    throw new AigwError(
      "changed_meanwhile",
      `Somebody else changed the configuration meanwhile (revision ${head}, expected ${expectedRev}). Try again.`,
      { details: { head, expected: expectedRev } },
    );
  }
  const rev = head + 1;
  db.run("INSERT INTO changes (rev, at, actor) VALUES (?, ?, ?)", rev, act.at, act.actor);
  for (const draft of drafts) appendEffect(db, rev, draft);
  return { rev, at: act.at, actor: act.actor, effects: drafts };
};

const appendEffect = (db: Database, rev: number, draft: ChangeDraft): void => {
  const { action, subject, after } = draft;
  supersede(db, rev, draft);
  db.run(INSERT_EFFECT, rev, action, subject, JSON.stringify(after), holds(draft));
  views.foldIntoViews(db, draft);
  // A service may bear the same name; its changes stay.
  if (action === "client.remove") {
    db.run(
      `UPDATE effects SET after = '{"purged":true}', secrets = 'none'
       WHERE subject = ? AND rev < ? AND action LIKE 'client.%' AND action <> 'client.remove'`,
      subject,
      rev,
    );
    mark(db, rev);
  }
};

const readMeta = (db: Database, key: string): string => {
  const value = db.get<{ value: string }>("SELECT value FROM meta WHERE key = ?", key)?.value;
  if (value !== undefined) return value;
  throw new AigwError("store_corrupt", `The database ${db.path} lacks its ${key}. Restore it from a backup.`);
};

const SELECT = "SELECT rev, at, actor, action, subject, after, secrets FROM changes JOIN effects USING (rev)";

/** @param rows those of a change stand together */
const changesIn = (rows: readonly EffectRow[]): readonly Change[] => {
  const changes: (Change & { readonly effects: Effect[] })[] = [];
  for (const { rev, at, actor, action, subject, after, secrets } of rows) {
    const erased = secrets === "erased" ? { superseded: true } : {};
    // The log holds what append() was given, so the row's parts belong together.
    const effect = { action, subject, after: JSON.parse(after) as unknown, ...erased } as Effect;
    const last = changes.at(-1);
    if (last?.rev === rev) last.effects.push(effect);
    else changes.push({ rev, at, actor, effects: [effect] });
  }
  return changes;
};
