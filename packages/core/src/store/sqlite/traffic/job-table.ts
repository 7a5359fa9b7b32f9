import type { Job, JobState, VersionedJob } from "../../../jobs/job.ts";
import type { JobCursor, JobFilter, JobGroup } from "../../../jobs/job-store.ts";
import type { Database } from "../files/database.ts";

/** The indexes hold what is asked of many at once; a claim and its progress write few entries. */
export const JOBS_TABLE = `CREATE TABLE jobs (
       id TEXT PRIMARY KEY,
       version INTEGER NOT NULL,
       client TEXT NOT NULL,
       service TEXT NOT NULL,
       state TEXT NOT NULL,
       place TEXT NOT NULL,
       at REAL NOT NULL,
       wake_at REAL NOT NULL,
       bytes INTEGER NOT NULL,
       record TEXT NOT NULL
     ) STRICT;
     CREATE INDEX jobs_by_state ON jobs (state, service, client, at, id, bytes, place);
     CREATE INDEX jobs_by_client ON jobs (client, at, id, service, state, bytes, place);
     CREATE INDEX jobs_by_time ON jobs (at, id);
     CREATE INDEX jobs_by_wake ON jobs (wake_at);`;

interface Row {
  readonly version: number;
  readonly record: string;
}

const versioned = ({ version, record }: Row): VersionedJob => ({ version, job: JSON.parse(record) as Job });

export const readJob = (db: Database, id: string): VersionedJob | undefined => {
  const row = db.get<Row>("SELECT version, record FROM jobs WHERE id = ?", id);
  return row && versioned(row);
};

/** @returns false when the stored version is not `expectedVersion`, or, for 0, when there is one */
export const writeJob = (db: Database, expectedVersion: number, job: Job): boolean => {
  const { id, client, service, state, place, at, wakeAt, storedBytes } = job;
  const record = JSON.stringify(job);
  if (expectedVersion === 0) {
    const sql = "INSERT INTO jobs VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING";
    return db.run(sql, id, client, service, state, place, at, wakeAt, storedBytes, record) === 1;
  }
  const sql = `UPDATE jobs SET version = version + 1, state = ?, wake_at = ?, bytes = ?, record = ?
    WHERE id = ? AND version = ?`;
  return db.run(sql, state, wakeAt, storedBytes, record, id, expectedVersion) === 1;
};

export const deleteJob = (db: Database, expectedVersion: number, id: string): boolean =>
  db.run("DELETE FROM jobs WHERE id = ? AND version = ?", id, expectedVersion) === 1;

const matching = ({ client, service, state, place }: JobFilter): { sql: string[]; values: string[] } => {
  const given = Object.entries({ client, service, state, place }).filter(([, value]) => value !== undefined);
  return { sql: given.map(([name]) => `${name} = ?`), values: given.map(([, value]) => value as JobState) };
};

export const readJobs = (
  db: Database,
  filter: JobFilter,
  { limit, after, oldestFirst = false }: { limit: number; after?: JobCursor | undefined; oldestFirst?: boolean },
): readonly VersionedJob[] => {
  const { sql, values } = matching(filter);
  const direction = oldestFirst ? "ASC" : "DESC";
  const behind = after === undefined ? [] : [`(at, id) ${oldestFirst ? ">" : "<"} (?, ?)`];
  const where = [...sql, ...behind].join(" AND ");
  return db
    .all<Row>(
      `SELECT version, record FROM jobs ${where && `WHERE ${where}`} ORDER BY at ${direction}, id ${direction} LIMIT ?`,
      ...values,
      ...(after === undefined ? [] : [after.at, after.id]),
      limit,
    )
    .map(versioned);
};

/** @param from the first `wakeAt` */
export const readDueJobs = (
  db: Database,
  now: number,
  limit: number,
  from: number = -Number.MAX_VALUE,
): readonly VersionedJob[] =>
  db
    .all<Row>(
      "SELECT version, record FROM jobs WHERE wake_at BETWEEN ? AND ? ORDER BY wake_at LIMIT ?",
      from,
      now,
      limit,
    )
    .map(versioned);

export const countJobsBefore = (db: Database, filter: JobFilter, before: JobCursor, most: number): number => {
  const { sql, values } = matching(filter);
  const where = [...sql, "(at, id) < (?, ?)"].join(" AND ");
  const counted = `SELECT count(*) AS n FROM (SELECT 1 FROM jobs WHERE ${where} LIMIT ?)`;
  return db.get<{ n: number }>(counted, ...values, before.at, before.id, most)?.n ?? 0;
};

export const readJobGroups = (db: Database, filter: JobFilter): readonly JobGroup[] => {
  const { sql, values } = matching(filter);
  const where = sql.length === 0 ? "" : `WHERE ${sql.join(" AND ")}`;
  return db
    .all<JobGroup>(
      `SELECT client, service, state, count(*) AS count, sum(bytes) AS storedBytes, min(at) AS oldestAt
       FROM jobs ${where} GROUP BY state, service, client`,
      ...values,
    )
    .map((group) => ({ ...group }));
};
