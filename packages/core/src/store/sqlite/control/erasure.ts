import { type ChangeDraft, type Effect, subjectOf } from "../../../changes/change.ts";
import { secretsOf, withoutSecrets } from "../../../changes/secrets.ts";
import { hasRoomFor } from "../../../files/free-space.ts";
import type { Database } from "../files/database.ts";

// A secret is in the newest effect on its subject and in the view of it, nowhere else: what supersedes it takes it out of
// the log in the same transaction. `effects.secrets` says which effects hold any. That leaves the file itself: SQLite
// zeroes what it frees (secure_delete), but where it moves a row to another page it does not clear the first place, and
// the write-ahead log keeps what it had. So a mark in `meta` says that retired secrets may still lie there, until
// everything was written anew.

/** Takes the secrets out of what this effect, of revision `rev`, supersedes; before it is appended, in the same transaction. */
export const supersede = (db: Database, rev: number, draft: ChangeDraft): void => {
  const kind = draft.action.slice(0, draft.action.indexOf("."));
  // Every effect on a secret is on the one keyring. A service may bear a client's name.
  const sql = `SELECT seq, action, subject, after FROM effects
    WHERE secrets = 'held' ${kind === "secret" ? "" : "AND subject = ?"} AND action LIKE '${kind}.%'`;
  const older = db.all<HoldingRow>(sql, ...(kind === "secret" ? [] : [draft.subject]));
  const stays = new Set(secretsOf(draft));
  if (older.map((row) => erase(db, row)).some((secrets) => secrets.some((secret) => !stays.has(secret)))) mark(db, rev);
};

/** For the column of a new effect. */
export const holds = (effect: Effect): "held" | "none" => (secretsOf(effect).length > 0 ? "held" : "none");

/** Once, for a log of before: marks every effect that holds secrets, and leaves them in the newest of each subject. */
export const eraseSuperseded = (db: Database): void => {
  const newest = new Map<string, HoldingRow>();
  let after = 0;
  for (;;) {
    const rows = db.all<HoldingRow>(
      "SELECT seq, action, subject, after FROM effects WHERE seq > ? ORDER BY seq LIMIT 1000",
      after,
    );
    if (rows.length === 0) break;
    for (const row of rows) {
      const subject = subjectOf(effectOf(row));
      const older = newest.get(subject);
      if (older !== undefined) erase(db, older);
      newest.delete(subject);
      if (secretsOf(effectOf(row)).length === 0) continue;
      db.run("UPDATE effects SET secrets = 'held' WHERE seq = ?", row.seq);
      newest.set(subject, row);
    }
    after = rows.at(-1)?.seq ?? after;
  }
  // Also for what earlier versions removed: they went by secure_delete alone.
  if (after > 0) mark(db, after);
};

interface HoldingRow {
  readonly seq: number;
  readonly action: string;
  readonly subject: string;
  readonly after: string;
}

/** @returns what it held */
const erase = (db: Database, row: HoldingRow): readonly string[] => {
  const effect = effectOf(row);
  const { after } = withoutSecrets(effect);
  db.run("UPDATE effects SET secrets = 'erased', after = ? WHERE seq = ?", JSON.stringify(after), row.seq);
  return secretsOf(effect);
};

// The log holds what append() was given, so the row's parts belong together; purged ones hold nothing.
const effectOf = ({ action, subject, after }: HoldingRow): ChangeDraft =>
  ({ action, subject, after: JSON.parse(after) as unknown }) as ChangeDraft;

const MARK = "erase_due";

/** Something that must not stay readable was taken out of the database, by this revision. */
export const mark = (db: Database, rev: number): void => {
  db.run("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", MARK, String(rev));
};

/** Up to here in memory; more goes by way of a temporary file. */
const IN_MEMORY_BYTES = 64 * 2 ** 20;
/** Rather than to wait for a reader the mark is left standing. */
const PATIENCE_MS = 100;

/**
 * Writes the whole database anew if something is marked, so that nothing is left of it in the file nor in its log. Takes
 * some 5 ms and a writer's lock for each MiB. The mark stays, for whoever comes next, when a reader is in the way or the
 * disk has no room for it.
 * @param largest not if the database has more bytes
 */
export const eraseMarked = (db: Database, largest: number = Number.POSITIVE_INFINITY): void => {
  const marked = db.get<{ value: string }>("SELECT value FROM meta WHERE key = ?", MARK)?.value;
  if (marked === undefined) return;
  withPatience(db, PATIENCE_MS, () => {
    // First: with a reader in the way the log would only grow.
    if (!cutLog(db) || !writeAnew(db, largest) || !cutLog(db)) return;
    db.run("DELETE FROM meta WHERE key = ? AND value = ?", MARK, marked);
  });
};

const writeAnew = (db: Database, largest: number): boolean => {
  const bytes =
    db.get<{ bytes: number }>("SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size")
      ?.bytes ?? 0;
  // Once in the log, from there into the file, which shrinks at most.
  if (bytes > largest || !hasRoomFor(db.path, 2 * bytes)) return false;
  db.exec(`PRAGMA temp_store = ${bytes > IN_MEMORY_BYTES ? "DEFAULT" : "MEMORY"}`);
  db.exec("VACUUM");
  return true;
};

/** @returns false when a reader is in the way, so that the write-ahead log still holds what it held */
const cutLog = (db: Database): boolean => db.get<{ busy: number }>("PRAGMA wal_checkpoint(TRUNCATE)")?.busy === 0;

const withPatience = (db: Database, ms: number, work: () => void): void => {
  const before = db.get<{ timeout: number }>("PRAGMA busy_timeout")?.timeout ?? 0;
  db.exec(`PRAGMA busy_timeout = ${Math.min(ms, before)}`);
  try {
    work();
  } finally {
    db.exec(`PRAGMA busy_timeout = ${before}`);
  }
};
