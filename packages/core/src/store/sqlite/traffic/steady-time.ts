import { readFileSync } from "node:fs";
import type { Clock } from "../../../clock.ts";
import { LONGEST_WINDOW_MS } from "../../../limits/permit-window.ts";
import type { Database } from "../files/database.ts";

/** Leases end up to so much after the present; a steady time behind a stored one by no more is no sign of a reboot. */
const AHEAD_MS = 10_000;

/**
 * Names this boot of the machine: the monotonic clock starts anew with each. Where the system has no such name, all
 * boots share one, and {@link agreeOnSteadyOffset} tells them apart by the clock having gone back.
 */
export const readBootId = (): string => {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return UNNAMED;
  }
};

const UNNAMED = "unnamed";

/**
 * What to add to the monotonic clock to get the store's steady time. Set once per boot by whoever comes first, so that
 * all processes agree and setting the wall clock changes nothing; after a reboot it starts at the wall clock's time, or
 * at the last steady time the database knows of if that is later, so that permits never count longer nor shorter and no
 * ended token comes back.
 *
 * Without boot ids, a reboot can go unnoticed when the machine has been up for longer than before; then steady time is
 * behind the wall clock and still has not gone back: tokens live on for as long as the machine was off.
 * @param known what this process goes by, or has read in the copy: a database that is made anew must not move anybody's
 * time to where the wall clock stands by now
 */
export const agreeOnSteadyOffset = (db: Database, clock: Clock, bootId: string, known?: number): number => {
  const usable = (): number | undefined => {
    const stored = readAnchor(db);
    if (stored === undefined || stored.bootId !== bootId) return undefined;
    return stored.offset + clock.monotonic() + AHEAD_MS >= lastSeen(db) ? stored.offset : undefined;
  };
  return (
    usable() ??
    db.immediate(() => {
      const agreed = usable();
      if (agreed !== undefined) return agreed;
      const now = clock.monotonic();
      const offset = Math.max(known ?? clock.now() - now, lastKnown(db) - now);
      writeAnchor(db, bootId, offset);
      return offset;
    })
  );
};

/** For a store that goes on with another one's time, which is `steady` now. */
export const anchorSteadyTime = (db: Database, clock: Clock, bootId: string, steady: number): void => {
  writeAnchor(db, bootId, steady - clock.monotonic());
  noteSteadyTime(db, steady);
};

const writeAnchor = (db: Database, bootId: string, offset: number): void => {
  db.run(
    `INSERT INTO meta VALUES ('boot_id', ?), ('steady_offset', ?)
     ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
    bootId,
    offset,
  );
};

/**
 * The control database has a copy of what was agreed in this boot. A gateway starts with that database only, and while
 * the other one is away or made anew it must judge tokens by the same time as those that run.
 */
export const readSteadyCopy = (control: Database, bootId: string): number | undefined => {
  const text = control.get<{ value: string }>("SELECT value FROM meta WHERE key = 'steady_offset'")?.value;
  const [of, offset] = text?.split(" ") ?? [];
  // Without a name a copy may be of another boot.
  return of === bootId && bootId !== UNNAMED && offset !== undefined ? Number(offset) : undefined;
};

export const noteSteadyCopy = (control: Database, bootId: string, offset: number): void => {
  if (bootId === UNNAMED || readSteadyCopy(control, bootId) === offset) return;
  control.run(
    "INSERT INTO meta VALUES ('steady_offset', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    `${bootId} ${offset}`,
  );
};

/** Notes a steady time whose other traces are about to be deleted. */
export const noteSteadyTime = (db: Database, now: number): void => {
  db.run(
    "INSERT INTO meta VALUES ('steady_seen', ?) ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)",
    now,
  );
};

const readAnchor = (db: Database): { readonly bootId: string; readonly offset: number } | undefined => {
  const row = db.get<{ bootId: string | null; offset: number | null }>(
    `SELECT (SELECT value FROM meta WHERE key = 'boot_id') AS bootId,
            (SELECT value FROM meta WHERE key = 'steady_offset') AS offset`,
  );
  if (row === undefined || row.bootId === null || row.offset === null) return undefined;
  return { bootId: row.bootId, offset: row.offset };
};

/** The latest steady time that somebody noted; 0 in a new database. Cheap, unlike {@link lastKnown}. */
const lastSeen = (db: Database): number =>
  db.get<{ last: number }>(
    `SELECT max(coalesce((SELECT max(seen_at) FROM instances), 0),
                coalesce((SELECT value FROM meta WHERE key = 'steady_seen'), 0)) AS last`,
  )?.last ?? 0;

/** The latest steady time the database bears witness of. */
const lastKnown = (db: Database): number => {
  const endsAt = db.get<{ last: number | null }>("SELECT max(ends_at) AS last FROM permits")?.last ?? 0;
  return Math.max(lastSeen(db), endsAt - LONGEST_WINDOW_MS);
};
