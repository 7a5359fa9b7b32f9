import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../../../clock.ts";
import { AigwError } from "../../../../errors.ts";
import { lockState, ProcessLock } from "../../../../files/process-lock.ts";
import { translateFsError } from "../../../../files/translate-fs-error.ts";
import { assertPrivate } from "../../../../sealing/master-key.ts";
import type { Instance, SeenInstance } from "../../../store.ts";
import { translateSqliteError } from "../../files/translate-error.ts";

/** What a gateway last said. */
interface PresenceRecord {
  readonly bootId: string;
  /** Monotonic milliseconds of that boot. */
  readonly seenAt: number;
  readonly instance: Instance;
}

/** Gateways report every second. One that is late is looked at: does its process hold its lock? */
const LATE_MS = 2_000;
/** What is left of the dead is swept when a gateway starts; the lock of one that just starts is not yet taken. */
const SWEEP_AFTER_MS = 60_000;
/** The age of what was written before the last boot, and the most that is told of any. */
const LONG_AGO_MS = 3_600_000;

/**
 * Who runs, apart from the databases: whatever holds or ails those, gateways can say what they have applied. Two files
 * each: `<id>.json`, replaced at every report, which nobody can hold; and `<id>.lock`, held for as long as the process
 * lives. So one that cannot write any more is told from one that was killed.
 */
export class Presence {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #bootId: string;
  readonly #locks = new Map<string, ProcessLock>();

  /** @param bootId names this boot of the machine, which the monotonic clock belongs to */
  constructor(folder: string, clock: Clock, bootId: string) {
    this.#folder = folder;
    this.#clock = clock;
    this.#bootId = bootId;
  }

  /** @throws AigwError `store_*`, `insecure_permissions` */
  report(instance: Instance): void {
    const path = this.#pathOf(instance.id, "json");
    const record: PresenceRecord = { bootId: this.#bootId, seenAt: this.#clock.monotonic(), instance };
    this.#translating(path, () => {
      this.#holdLock(instance.id);
      // Not in place: whoever reads it meanwhile would get half of it.
      writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    });
  }

  /** Also of another process, which has ended. @throws AigwError `store_*` */
  retire(id: string): void {
    const path = this.#pathOf(id, "json");
    this.#translating(path, () => {
      for (const file of [path, `${path}.new`]) rmSync(file, { force: true });
      this.#locks.get(id)?.release();
      this.#locks.delete(id);
      rmSync(this.#pathOf(id, "lock"), { force: true });
    });
  }

  /**
   * Those seen within `withinMs`, and those not seen for longer whose process still runs, in the order of their ids.
   * Only reads. @throws AigwError `store_*`, `insecure_permissions`
   */
  read(withinMs: number): readonly SeenInstance[] {
    return this.#translating(this.#folder, () =>
      this.#names()
        .filter((name) => name.endsWith(".json"))
        .sort()
        .flatMap((name) => this.#see(name.slice(0, -".json".length), withinMs)),
    );
  }

  /** Like the end of the process: what it has reported stays, and nobody holds its lock. */
  close(): void {
    for (const lock of this.#locks.values()) lock.release();
    this.#locks.clear();
  }

  #see(id: string, withinMs: number): readonly SeenInstance[] {
    const record = this.#readRecord(id);
    if (record === undefined) return [];
    const ageMs = this.#ageOf(record);
    const seen = { ...record.instance, lastSeenAgoMs: ageMs };
    if (ageMs < LATE_MS && ageMs <= withinMs) return [seen];
    const lock = lockState(this.#pathOf(id, "lock"));
    if (lock === "held") return [{ ...seen, alive: true }];
    const counts = lock === "unknown" || ageMs <= withinMs;
    return counts && ageMs < LONG_AGO_MS ? [seen] : [];
  }

  /** @returns undefined when it has just been retired, or is what a power loss left of one */
  #readRecord(id: string): PresenceRecord | undefined {
    const path = this.#pathOf(id, "json");
    try {
      return JSON.parse(readFileSync(path, "utf8")) as PresenceRecord;
    } catch (error) {
      if (isMissing(error)) return undefined;
      if (!(error instanceof SyntaxError)) throw error;
      if (lockState(this.#pathOf(id, "lock")) === "free") return undefined;
      throw new AigwError(
        "store_corrupt",
        `${path} is damaged. Its gateway writes it anew within a second; if not, restart it.`,
      );
    }
  }

  #ageOf({ bootId, seenAt }: PresenceRecord): number {
    const ageMs = this.#clock.monotonic() - seenAt;
    // Later than now: of an earlier boot, where boots have no names.
    if (bootId !== this.#bootId || ageMs < -LATE_MS) return LONG_AGO_MS;
    return Math.min(Math.max(0, ageMs), LONG_AGO_MS);
  }

  /** Anew when somebody deleted the file: a lock that nobody finds says nothing. */
  #holdLock(id: string): void {
    const held = this.#locks.get(id);
    if (held?.isInPlace()) return;
    this.#makeFolder();
    if (held === undefined) this.#sweep();
    const lock = ProcessLock.take(this.#pathOf(id, "lock"));
    held?.release();
    if (lock !== undefined) this.#locks.set(id, lock);
  }

  #makeFolder(): void {
    try {
      // Not with what is above it: a home that was moved away must not come to be again.
      mkdirSync(this.#folder, { mode: 0o700 });
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
    }
    assertPrivate(this.#folder, "folder");
  }

  #sweep(): void {
    for (const name of this.#names()) {
      const path = join(this.#folder, name);
      const lock = this.#pathOf(name.replace(/\.(json|json\.new|lock)$/, ""), "lock");
      try {
        const ageMs = Date.now() - statSync(path).mtimeMs;
        if (ageMs <= SWEEP_AFTER_MS) continue;
        const state = lockState(lock);
        if (state === "free" || (state === "unknown" && ageMs > LONG_AGO_MS)) rmSync(path, { force: true });
      } catch {
        // Another gateway was faster.
      }
    }
  }

  /** None when no gateway ever ran. */
  #names(): readonly string[] {
    try {
      const names = readdirSync(this.#folder);
      assertPrivate(this.#folder, "folder");
      return names;
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  #pathOf(id: string, ending: "json" | "lock"): string {
    return join(this.#folder, `${id}.${ending}`);
  }

  #translating<T>(path: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw translateSqliteError(translateFsError(error, path), path);
    }
  }
}

const isMissing = (error: unknown): boolean => codeOf(error) === "ENOENT";

const codeOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined);
