import type { Database } from "../files/database.ts";
import type { Schema } from "../files/migrations.ts";
import { eraseSuperseded } from "./erasure.ts";

/** `aigw.db`: the change log and the views folded from it. */
export const CONTROL_SCHEMA: Schema = {
  name: "control",
  applicationId: 0x61_69_67_77,
  pragmas: [
    // An acknowledged admin act survives a power loss; in WAL mode NORMAL would not promise it.
    "synchronous = FULL",
    // What is purged must not stay readable in free pages.
    "secure_delete = ON",
    "journal_size_limit = 16777216",
    "trusted_schema = OFF",
  ],
  steps: [
    `CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
     CREATE TABLE changes (
       rev INTEGER PRIMARY KEY,
       at REAL NOT NULL,
       actor TEXT NOT NULL,
       action TEXT NOT NULL,
       subject TEXT NOT NULL,
       after TEXT NOT NULL
     ) STRICT;
     CREATE INDEX changes_by_subject ON changes (subject);
     CREATE TABLE clients (name TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, record TEXT NOT NULL) STRICT;
     CREATE TABLE services (name TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;
     CREATE TABLE keyring (only INTEGER PRIMARY KEY CHECK (only = 1), record TEXT NOT NULL) STRICT;
     CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;`,
    // A change may have several effects. Those of the changes so far are their only ones.
    `CREATE TABLE effects (
       seq INTEGER PRIMARY KEY,
       rev INTEGER NOT NULL,
       action TEXT NOT NULL,
       subject TEXT NOT NULL,
       after TEXT NOT NULL
     ) STRICT;
     INSERT INTO effects (rev, action, subject, after) SELECT rev, action, subject, after FROM changes ORDER BY rev;
     CREATE INDEX effects_by_rev ON effects (rev);
     CREATE INDEX effects_by_subject ON effects (subject, rev);
     CREATE TABLE log (rev INTEGER PRIMARY KEY, at REAL NOT NULL, actor TEXT NOT NULL) STRICT;
     INSERT INTO log SELECT rev, at, actor FROM changes;
     DROP TABLE changes;
     ALTER TABLE log RENAME TO changes;`,
    // Secrets are in the newest effect on their subject alone.
    (db: Database): void => {
      db.exec(
        `ALTER TABLE effects ADD COLUMN secrets TEXT NOT NULL DEFAULT 'none' CHECK (secrets IN ('none', 'held', 'erased'));
         CREATE INDEX effects_holding ON effects (subject, action) WHERE secrets = 'held';`,
      );
      eraseSuperseded(db);
    },
    // An earlier version would let a client call what its plan does not allow.
    "CREATE TABLE plans (name TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;",
  ],
};
