import type { Schema } from "../files/migrations.ts";
import { JOBS_TABLE } from "./job-table.ts";
import { FOLDING_TABLE } from "./usage-folding.ts";
import {
  firstFillTotals,
  firstRollupTable,
  makeDayTotals,
  monthsTable,
  ROLLUPS,
  withWorth,
} from "./usage-rollup-shape.ts";

/**
 * `aigw.usage.db`: busy data. Every request pays for every index, so there are only those that grow at their end: the
 * event's id (idempotence) and the time (reports of a period). One by client, written all over, made an event cost five
 * times as much at five million; without it the tail of a client long silent takes 0.15 s per million events. Permits
 * have none by end, which would double the cost of each; pruning scans them instead, 0.4 ms per thousand.
 */
export const TRAFFIC_SCHEMA: Schema = {
  name: "usage",
  applicationId: 0x61_69_67_75,
  pragmas: [
    // A power loss may cost the last moments of usage, a kill -9 costs nothing; FULL would sync per permit.
    "synchronous = NORMAL",
    "journal_size_limit = 67108864",
    // KiB; what a busy minute touches of the permits of 2,000 clients fits in. Each connection has its own (decision 085).
    "cache_size = -4096",
    // Pages, 16 MiB. A checkpoint waits for the disk in the middle of a call that takes a permit, 10 to 20 ms, and the
    // same few pages are written again and again: four times as many make it four times as rare, and hardly longer.
    "wal_autocheckpoint = 4000",
    "trusted_schema = OFF",
  ],
  steps: [
    // AUTOINCREMENT: a cursor must never meet a seq a second time, even after all rows were deleted.
    `CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
     CREATE TABLE usage (
       seq INTEGER PRIMARY KEY AUTOINCREMENT,
       id TEXT NOT NULL UNIQUE,
       at REAL NOT NULL,
       client TEXT NOT NULL,
       service TEXT NOT NULL,
       method TEXT NOT NULL,
       path TEXT NOT NULL,
       status INTEGER NOT NULL,
       latency_ms REAL NOT NULL,
       upstream_ms REAL,
       bytes_in INTEGER NOT NULL,
       bytes_out INTEGER NOT NULL,
       request_id TEXT NOT NULL,
       outcome TEXT NOT NULL
     ) STRICT;
     CREATE INDEX usage_by_time ON usage (at);
     ${firstRollupTable(ROLLUPS.hours)}
     ${firstRollupTable(ROLLUPS.days)}
     CREATE INDEX usage_days_by_client ON usage_days (client);
     CREATE TABLE permits (
       key TEXT PRIMARY KEY,
       version INTEGER NOT NULL,
       ends_at REAL NOT NULL,
       window TEXT NOT NULL
     ) STRICT;
     CREATE TABLE instances (id TEXT PRIMARY KEY, seen_at REAL NOT NULL, record TEXT NOT NULL) STRICT;
     CREATE TABLE token_issues (
       client_id TEXT NOT NULL,
       kid TEXT NOT NULL,
       epoch INTEGER NOT NULL,
       issued_at REAL NOT NULL,
       expires_at REAL NOT NULL,
       PRIMARY KEY (client_id, kid)
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX token_issues_by_end ON token_issues (expires_at);`,
    `${firstRollupTable(ROLLUPS.totals)}
     ${firstFillTotals()}`,
    `ALTER TABLE usage ADD COLUMN reason TEXT;
     ALTER TABLE usage ADD COLUMN count INTEGER NOT NULL DEFAULT 1;`,
    "-- Instances report beside the database from here on: an older command, which would see none, is to refuse.",
    `CREATE TABLE quotas (
       key TEXT PRIMARY KEY,
       version INTEGER NOT NULL,
       ends_at REAL NOT NULL,
       record TEXT NOT NULL
     ) STRICT;`,
    // Without a value each is a byte of a row. An older version would count calls without what they were worth.
    `${[
      "units TEXT",
      "metered TEXT",
      "read_from TEXT",
      "model TEXT",
      "unread TEXT",
      "cost INTEGER",
      "plan TEXT",
      "seal TEXT",
    ]
      .map((column) => `ALTER TABLE usage ADD COLUMN ${column};`)
      .join("\n")}
     ${[ROLLUPS.hours, ROLLUPS.days, ROLLUPS.totals].map(withWorth).join("\n")}
     ${monthsTable()}
     CREATE INDEX usage_days_by_client ON usage_days (client);`,
    "ALTER TABLE usage ADD COLUMN fallback TEXT;",
    // An older gateway would send a service more calls than it takes at once.
    `ALTER TABLE usage ADD COLUMN queued_ms REAL;
     CREATE TABLE queues (
       key TEXT PRIMARY KEY,
       version INTEGER NOT NULL,
       ends_at REAL NOT NULL,
       record TEXT NOT NULL
     ) STRICT;`,
    JOBS_TABLE,
    makeDayTotals,
    // An older version would report without what is not in the sums yet, for as long as it is the only one.
    FOLDING_TABLE,
  ],
};
