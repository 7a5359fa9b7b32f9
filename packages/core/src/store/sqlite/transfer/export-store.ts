import { setTimeout as delay } from "node:timers/promises";
import { AigwError } from "../../../errors.ts";
import type {
  ClientQuotas,
  HeldWindow,
  LastCall,
  PartName,
  StoreExport,
  StoreFacts,
  StoreParts,
  UsageSums,
} from "../../../transfer/parts.ts";
import { fromStoredSum, type StoredSum } from "../../../usage/worth.ts";
import type { TokenIssue } from "../../store.ts";
import { readMeta } from "../backup/facts.ts";
import { readChanges } from "../control/control.ts";
import type { Database } from "../files/database.ts";
import { readLiveTokens } from "../traffic/token-issues.ts";
import { readFolding } from "../traffic/usage-folding.ts";
import { readLastCalls } from "../traffic/usage-last.ts";
import { foldedSeq } from "../traffic/usage-rollup.ts";
import { KEY_COLUMNS, ROLLUPS, type Rollup, SUM_COLUMNS, worthTable } from "../traffic/usage-rollup-shape.ts";
import { toEvent, type UsageRow } from "../traffic/usage-row.ts";
import { prunedBefore } from "../traffic/usage-tally.ts";

/** Connections that nobody else uses meanwhile. */
export interface ExportSources {
  readonly control: Database;
  readonly usage: Database;
}

/** Who begins the next folding reads some thousand events first, so that one may come in between, but not one each time. */
const ATTEMPTS = 20;
/** Others write between two steps. */
const PAUSE_MS = 1;

/** A change may have thousands of effects. */
const CHANGES = 50;
const RECORDS = 1_000;

/**
 * Both databases are pinned to one moment, usage first: no event then belongs to a client whose creation is not there.
 * @param steady which permits are in force and which tokens alive, steady milliseconds
 */
export class SqliteExport implements StoreExport {
  readonly facts: StoreFacts;
  readonly #sources: ExportSources;
  readonly #steady: number;
  readonly #onClose: () => void;

  /**
   * Of a moment in which no folding is half done, since sums say which events they are of by their number alone. One
   * that is, is brought to its end.
   * @param fold takes the next step of it
   */
  static async whenSettled(sources: ExportSources, steady: number, fold: () => unknown): Promise<SqliteExport> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      while (readFolding(sources.usage) !== undefined) {
        fold();
        await delay(PAUSE_MS);
      }
      const made = new SqliteExport(sources, steady);
      if (readFolding(sources.usage) === undefined) return made;
      await made.close();
    }
    throw new AigwError("changed_meanwhile", "Usage is summed up by others all the time. Try again.");
  }

  constructor(sources: ExportSources, steady: number, onClose: () => void = () => undefined) {
    this.#sources = sources;
    this.#steady = steady;
    this.#onClose = onClose;
    const { control, usage } = sources;
    usage.pin();
    control.pin();
    this.facts = {
      storeId: readMeta(control, "store_id"),
      keyCheck: readMeta(control, "key_check"),
      foldedEvents:
        usage.get<{ n: number }>("SELECT count(*) AS n FROM usage WHERE seq <= ?", foldedSeq(usage))?.n ?? 0,
      prunedBefore: prunedBefore(usage),
    };
  }

  read<P extends PartName>(part: P): AsyncIterable<readonly StoreParts[P][]> {
    // Each of them gives the records of its own part.
    return this.#readers[part]() as AsyncIterable<readonly StoreParts[P][]>;
  }

  async close(): Promise<void> {
    this.#sources.usage.unpin();
    this.#sources.control.unpin();
    this.#onClose();
  }

  readonly #readers: { readonly [P in PartName]: () => AsyncIterable<readonly StoreParts[P][]> } = {
    changes: () => this.#changes(),
    usage: () => this.#usage(),
    hours: () => this.#sums(ROLLUPS.hours),
    days: () => this.#sums(ROLLUPS.days),
    lastCalls: () => this.#lastCalls(),
    permits: () => this.#permits(),
    quotas: () => this.#quotas(),
    tokens: () => this.#tokens(),
  };

  async *#changes(): AsyncGenerator<readonly StoreParts["changes"][]> {
    for (let after = 0; ; ) {
      const page = readChanges(this.#sources.control, after, CHANGES);
      const last = page.at(-1);
      if (last === undefined) return;
      yield page;
      after = last.rev;
    }
  }

  async *#usage(): AsyncGenerator<readonly StoreParts["usage"][]> {
    for (let after = 0; ; ) {
      const rows = this.#sources.usage.all<UsageRow>(
        `SELECT * FROM usage WHERE seq > ? ORDER BY seq LIMIT ${RECORDS}`,
        after,
      );
      const last = rows.at(-1);
      if (last === undefined) return;
      yield rows.map(toEvent);
      after = last.seq;
    }
  }

  async *#sums(rollup: Rollup): AsyncGenerator<readonly UsageSums[]> {
    const key = KEY_COLUMNS.join(", ");
    for (let after: readonly (string | number)[] = [-1, "", "", 0, "", "", ""]; ; ) {
      const rows = this.#sources.usage.all<Columns>(
        `SELECT ${key}, ${SUM_COLUMNS.join(", ")} FROM ${rollup} WHERE (${key}) > (${KEY_COLUMNS.map(() => "?").join(", ")})
         ORDER BY ${key} LIMIT ${RECORDS}`,
        ...after,
      );
      const last = rows.at(-1);
      if (last === undefined) return;
      const worth = this.#worth(rollup, after, keyOf(last));
      yield rows.map((row): UsageSums => {
        const own = keyOf(row);
        return {
          key: own,
          sums: SUM_COLUMNS.map((column) => Number(row[column])),
          worth: worth.get(own.join(" ")) ?? [],
        };
      });
      after = keyOf(last);
    }
  }

  /** What the sums after one key and up to another are worth, by their keys. */
  #worth(
    rollup: Rollup,
    after: readonly (string | number)[],
    to: readonly (string | number)[],
  ): ReadonlyMap<string, UsageSums["worth"]> {
    const key = KEY_COLUMNS.join(", ");
    const place = KEY_COLUMNS.map(() => "?").join(", ");
    const rows = this.#sources.usage.all<Columns & StoredSum & { readonly unit: string }>(
      `SELECT * FROM ${worthTable(rollup)} WHERE (${key}) > (${place}) AND (${key}) <= (${place}) ORDER BY ${key}, unit`,
      ...after,
      ...to,
    );
    const groups = Map.groupBy(rows, (row) => keyOf(row).join(" "));
    return new Map(
      [...groups].map(([name, group]) => [name, group.map((row) => [row.unit, String(fromStoredSum(row))] as const)]),
    );
  }

  async *#lastCalls(): AsyncGenerator<readonly LastCall[]> {
    for (let after = ""; ; ) {
      const page = readLastCalls(this.#sources.usage, after, RECORDS);
      const last = page.at(-1);
      if (last === undefined) return;
      yield page;
      after = last.client;
    }
  }

  async *#permits(): AsyncGenerator<readonly HeldWindow[]> {
    for (let after = ""; ; ) {
      const rows = this.#sources.usage.all<{ key: string; window: string }>(
        `SELECT key, window FROM permits WHERE key > ? AND ends_at > ? ORDER BY key LIMIT ${RECORDS}`,
        after,
        this.#steady,
      );
      const last = rows.at(-1);
      if (last === undefined) return;
      yield rows.map(({ key, window }) => ({ key, window: JSON.parse(window) as HeldWindow["window"] }));
      after = last.key;
    }
  }

  async *#quotas(): AsyncGenerator<readonly ClientQuotas[]> {
    for (let after = ""; ; ) {
      const rows = this.#sources.usage.all<{ key: string; record: string }>(
        `SELECT key, record FROM quotas WHERE key > ? AND ends_at > ? ORDER BY key LIMIT ${RECORDS}`,
        after,
        this.#steady,
      );
      const last = rows.at(-1);
      if (last === undefined) return;
      yield rows.map(({ key, record }) => ({ client: key, record: JSON.parse(record) as ClientQuotas["record"] }));
      after = last.key;
    }
  }

  /** One a client and key: as many as there are clients, of some 100 bytes. */
  async *#tokens(): AsyncGenerator<readonly TokenIssue[]> {
    const issues = readLiveTokens(this.#sources.usage, this.#steady);
    if (issues.length > 0) yield issues;
  }
}

type Columns = Readonly<Record<string, string | number>>;

const keyOf = (row: Columns): UsageSums["key"] =>
  KEY_COLUMNS.map((column) => row[column]) as unknown as UsageSums["key"];
