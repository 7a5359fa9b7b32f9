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
import type { TokenIssue } from "../../store.ts";
import { readMeta } from "../backup/facts.ts";
import { readChanges } from "../control/control.ts";
import type { Database } from "../files/database.ts";
import { readLiveTokens } from "../traffic/token-issues.ts";
import { readLastCalls } from "../traffic/usage-last.ts";
import { BUCKET_COLUMNS, foldedSeq, ROLLUPS } from "../traffic/usage-rollup.ts";
import { toEvent, type UsageRow } from "../traffic/usage-row.ts";
import { prunedBefore } from "../traffic/usage-tally.ts";

/** Connections that nobody else uses meanwhile. */
export interface ExportSources {
  readonly control: Database;
  readonly usage: Database;
}

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

  async *#sums(table: string): AsyncGenerator<readonly UsageSums[]> {
    const key = "period, client, service, status, outcome";
    const columns = ["requests", "bytes_in", "bytes_out", "latency_ms", ...BUCKET_COLUMNS];
    for (let after: readonly (string | number)[] = [-1, "", "", 0, ""]; ; ) {
      const rows = this.#sources.usage.all<Readonly<Record<string, string | number>>>(
        `SELECT ${key}, ${columns.join(", ")} FROM ${table} WHERE (${key}) > (?, ?, ?, ?, ?) ORDER BY ${key} LIMIT ${RECORDS}`,
        ...after,
      );
      const groups = rows.map(
        (row): UsageSums => ({
          key: [row["period"], row["client"], row["service"], row["status"], row["outcome"]] as UsageSums["key"],
          sums: columns.map((column) => Number(row[column])),
        }),
      );
      const last = groups.at(-1);
      if (last === undefined) return;
      yield groups;
      after = last.key;
    }
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
