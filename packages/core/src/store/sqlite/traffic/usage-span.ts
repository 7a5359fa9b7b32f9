import { AigwError } from "../../../errors.ts";
import type { UsageEvent } from "../../../usage/usage-event.ts";
import type { UsagePage, UsageSpan } from "../../store.ts";
import type { Database } from "../files/database.ts";
import { conditions, toEvent, type UsageRow } from "./usage-row.ts";

/** Pages by time and, within the same moment, by order of storage: each is a short walk along the time index. */
export const readUsageSpan = (
  db: Database,
  { filter, until }: UsageSpan,
  cursor: string | undefined,
  limit: number,
): UsagePage => {
  const from = cursor === undefined ? { at: filter.since ?? 0, seq: 0 } : parsePlace(cursor);
  const { since: _place, ...rest } = filter;
  const { where, values } = conditions(rest);
  const rows = db.all<UsageRow>(
    `SELECT * FROM usage WHERE (at, seq) > (?, ?) AND at >= ? AND at < ?${where} ORDER BY at, seq LIMIT ?`,
    from.at,
    from.seq,
    from.at,
    until,
    ...values,
    limit,
  );
  const last = rows.at(-1) ?? from;
  return { events: rows.map(toEvent), cursor: `${last.at}/${last.seq}` };
};

const REPEATED_AT_MOST = 10;

/** There is no index by request id, which every request would pay for: this reads all events since then. */
export const readUsageOfRequest = (db: Database, requestId: string, since: number): readonly UsageEvent[] =>
  db
    .all<UsageRow>(
      "SELECT * FROM usage WHERE at >= ? AND request_id = ? ORDER BY at DESC LIMIT ?",
      since,
      requestId,
      REPEATED_AT_MOST,
    )
    .map(toEvent);

const parsePlace = (cursor: string): { readonly at: number; readonly seq: number } => {
  const [, at, seq] = /^(\d+(?:\.\d+)?)\/(\d{1,15})$/.exec(cursor) ?? [];
  if (at !== undefined && seq !== undefined) return { at: Number(at), seq: Number(seq) };
  throw new AigwError("invalid_value", `'${cursor}' is not a cursor of this store. Use one that it returned.`);
};
