import type { Instance, SeenInstance } from "../store.ts";
import type { Database } from "./database.ts";
import { noteSteadyTime } from "./steady-time.ts";

const FORGET_AFTER_MS = 3_600_000;

/** @param now steady milliseconds, as in all of these */
export const writeInstance = (db: Database, instance: Instance, now: number): void => {
  db.immediate(() => {
    db.run(
      "INSERT INTO instances VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, record = excluded.record",
      instance.id,
      now,
      JSON.stringify(instance),
    );
    db.run("DELETE FROM instances WHERE seen_at < ?", now - FORGET_AFTER_MS);
  });
};

export const deleteInstance = (db: Database, id: string, now: number): void => {
  db.immediate(() => {
    noteSteadyTime(db, now);
    db.run("DELETE FROM instances WHERE id = ?", id);
  });
};

/** Only reads, so that a command which watches instances never competes for the write lock. */
export const readInstances = (db: Database, withinMs: number, now: number): readonly SeenInstance[] =>
  db
    .all<{ seen_at: number; record: string }>(
      "SELECT seen_at, record FROM instances WHERE seen_at >= ? ORDER BY id",
      now - Math.min(withinMs, FORGET_AFTER_MS),
    )
    .map((row) => ({ ...(JSON.parse(row.record) as Instance), lastSeenAgoMs: Math.max(0, now - row.seen_at) }));
