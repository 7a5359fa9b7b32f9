import { HOUR_MS } from "../../../usage/report-plan.ts";
import type { UsageGroup } from "../../../usage/usage-groups.ts";
import type { Database } from "../files/database.ts";
import { KEY_COLUMNS } from "./usage-rollup-shape.ts";

/**
 * Events that come to more groups than one transaction may add to the sums (decision 105). They count as folded as soon as
 * the first groups are; then come the others, in the order of their keys. Who folds may be killed in between, and whoever
 * comes next makes the same groups from the same events, which is why those stay until the last is in the sums.
 */
export interface Folding {
  /** The `seq` of the last event before them, and of the last one of them. */
  readonly from: number;
  readonly to: number;
  /** The key of the last group that is in all sums. */
  readonly done: UsageGroup["key"];
}

/** Holds one row while there is a folding. The trigger is for a version that does not know it, and may still run. */
export const FOLDING_TABLE = `CREATE TABLE usage_folding (
     one INTEGER PRIMARY KEY CHECK (one = 1),
     behind INTEGER NOT NULL,
     up_to INTEGER NOT NULL,
     period INTEGER NOT NULL,
     client TEXT NOT NULL,
     service TEXT NOT NULL,
     status INTEGER NOT NULL,
     outcome TEXT NOT NULL,
     model TEXT NOT NULL,
     plan TEXT NOT NULL
   ) STRICT;
   CREATE TRIGGER usage_folding_keeps BEFORE DELETE ON usage
     WHEN old.seq > (SELECT behind FROM usage_folding) AND old.seq <= (SELECT up_to FROM usage_folding)
     BEGIN SELECT RAISE(IGNORE); END;`;

type FoldingRow = readonly [from: number, to: number, ...done: UsageGroup["key"]];

const SELECT = `SELECT behind, up_to, ${KEY_COLUMNS.join(", ")} FROM usage_folding`;

export const readFolding = (db: Database): Folding | undefined => {
  const [row] = db.arrays<FoldingRow>(SELECT);
  if (row === undefined) return undefined;
  const [from, to, ...done] = row;
  return { from, to, done };
};

export const writeFolding = (db: Database, { from, to, done }: Folding): void => {
  db.run("INSERT OR REPLACE INTO usage_folding VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)", from, to, ...done);
};

export const endFolding = (db: Database): void => {
  db.run("DELETE FROM usage_folding");
};

export const isSameFolding = (one: Folding | undefined, other: Folding): boolean =>
  one !== undefined && one.from === other.from && one.to === other.to && compareKeys(one.done, other.done) === 0;

/** The order in which a folding adds its groups, the one in which SQLite has them. */
export const compareKeys = (one: UsageGroup["key"], other: UsageGroup["key"]): number => {
  for (let index = 0; index < one.length; index += 1) {
    const [own = 0, others = 0] = [one[index], other[index]];
    if (own === others) continue;
    return typeof own === "string" && typeof others === "string"
      ? compareText(own, others)
      : Number(own) - Number(others);
  }
  return 0;
};

/** SQLite compares the bytes of UTF-8; UTF-16 has what is beyond U+FFFF before some of what is not. */
const compareText = (one: string, other: string): number => {
  if (SURROGATE.test(one) || SURROGATE.test(other)) return Buffer.compare(Buffer.from(one), Buffer.from(other));
  return one < other ? -1 : 1;
};

const SURROGATE = /[\ud800-\udfff]/;

const KEY_OF_EVENT = `(CAST(at / ${HOUR_MS} AS INTEGER), client, service, status, outcome, coalesce(model, ''), coalesce(plan, ''))`;

/** The condition for events of a folding that are in no sums yet, and its values. */
export const notYetIn = ({
  from,
  to,
  done,
}: Folding): { readonly condition: string; readonly values: readonly (string | number)[] } => ({
  condition: `seq > ? AND seq <= ? AND ${KEY_OF_EVENT} > (${done.map(() => "?").join(", ")})`,
  values: [from, to, ...done],
});
