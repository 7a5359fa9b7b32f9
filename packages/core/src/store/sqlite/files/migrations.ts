import { AigwError } from "../../../errors.ts";
import type { Database } from "./database.ts";

/** What a database file of one kind looks like and how older ones become it. */
export interface Schema {
  /** For messages. */
  readonly name: string;
  /** Marks the file's kind, so that no other database is ever taken for ours. */
  readonly applicationId: number;
  /** `steps[n]` turns version n into n + 1; 0 is an empty file. Never edit one that was released: append. */
  readonly steps: readonly (string | ((db: Database) => void))[];
  /** Set on every connection. */
  readonly pragmas: readonly string[];
}

interface Mark {
  readonly version: number;
  readonly applicationId: number;
}

/**
 * @throws AigwError `store_schema_newer` when a later aigw wrote the file, `store_unsupported` when it is not of this
 * kind. Reads only.
 */
export const assertOwnSchema = (db: Database, schema: Schema): void => {
  const { version, applicationId } = readMark(db);
  if (applicationId !== schema.applicationId || version === 0) {
    throw new AigwError(
      "store_unsupported",
      `${db.path} is an SQLite database, but not aigw's ${schema.name} database. Check the store's path.`,
    );
  }
  assertNotNewer(db, schema, version);
};

/** For writers, inside their transaction: another process may have migrated since this one opened the file. */
export const assertSameVersion = (db: Database, schema: Schema): void => assertNotNewer(db, schema, readVersion(db));

/** Takes the remaining steps, each in a transaction of its own. Of two processes at once one does, the other waits. */
export const migrate = (db: Database, schema: Schema): void => {
  while (readVersion(db) < schema.steps.length) {
    db.immediate(() => {
      const version = readVersion(db);
      const step = schema.steps[version];
      if (step === undefined) return;
      if (typeof step === "string") db.exec(step);
      else step(db);
      db.exec(`PRAGMA application_id = ${schema.applicationId}`);
      db.exec(`PRAGMA user_version = ${version + 1}`);
    });
  }
};

const assertNotNewer = (db: Database, schema: Schema, version: number): void => {
  if (version <= schema.steps.length) return;
  throw new AigwError(
    "store_schema_newer",
    `${db.path} has schema version ${version}, but this aigw knows versions up to ${schema.steps.length}. Use the newer aigw.`,
    { details: { found: version, known: schema.steps.length } },
  );
};

const readVersion = (db: Database): number =>
  db.get<{ user_version: number }>("PRAGMA user_version")?.user_version ?? 0;

const readMark = (db: Database): Mark => ({
  version: readVersion(db),
  applicationId: db.get<{ application_id: number }>("PRAGMA application_id")?.application_id ?? 0,
});
