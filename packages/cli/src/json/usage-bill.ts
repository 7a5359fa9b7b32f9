import { type Bill, type BillLine, sumInWords, type UsageTally } from "@aigw/core/usage";
import { csvLine } from "../terminal/output/csv.ts";
import { rfc3339 } from "../terminal/output/time.ts";
import { unitsOf } from "./usage-report.ts";

export interface NamedBill extends Bill {
  /** As the client is known now; null: it has none, or is gone. */
  readonly displayName: string | null;
}

export interface BillsOfMonth {
  /** `2027-01`. */
  readonly month: string;
  /** The time zone whose month it is. */
  readonly zone: string;
  /** What the figures are exact for, milliseconds since the epoch. */
  readonly since: number;
  readonly until: number;
  readonly currency: string | null;
  readonly bills: readonly NamedBill[];
}

/** The figures of a line and of a total. */
export interface BillFiguresJson {
  /** Calls that were let through to a service. */
  readonly requests: number;
  readonly units: Readonly<Record<string, number>>;
  /** Null: nothing had a price. */
  readonly cost: number | null;
  readonly unpriced: number;
  readonly unread: number;
  readonly estimated: number;
}

export interface BillJson {
  readonly client: string;
  readonly displayName: string | null;
  readonly lines: readonly ({ readonly service: string; readonly model: string | null } & BillFiguresJson)[];
  readonly total: BillFiguresJson;
}

export const billsJson = (document: BillsOfMonth): unknown => ({
  month: document.month,
  timezone: document.zone,
  since: rfc3339(document.since),
  until: rfc3339(document.until),
  currency: document.currency,
  bills: document.bills.map(
    ({ client, displayName, lines, total }): BillJson => ({
      client,
      displayName,
      lines: lines.map(({ service, model, tally }) => ({ service, model: model || null, ...figuresJson(tally) })),
      total: figuresJson(total),
    }),
  ),
});

const figuresJson = (tally: UsageTally): BillFiguresJson => ({
  requests: tally.timed,
  units: Object.fromEntries(unitsOf(tally).map(([unit, sum]) => [unit, Number(sumInWords(sum))])),
  cost: tally.priced === 0 ? null : Number(sumInWords(tally.cost)),
  ...{ unpriced: tally.unpriced, unread: tally.unread, estimated: tally.estimated },
});

/** Every unit that a bill has, by name. */
export const unitsOfBills = (bills: readonly Bill[]): readonly string[] =>
  [...new Set(bills.flatMap(({ total }) => [...total.units.keys()]))].toSorted();

/** A line for each line of a bill, with every digit. */
export const billCsv = ({ month, currency, bills }: BillsOfMonth): string => {
  const units = unitsOfBills(bills);
  const head = ["month", "client", "service", "model", "requests", ...units, "cost", "currency", "unpriced"];
  const lineOf = (client: string, { service, model, tally }: BillLine): string =>
    csvLine([
      ...[month, client, service, model, tally.timed],
      ...units.map((unit) => sumInWords(tally.units.get(unit) ?? 0n)),
      ...[tally.priced === 0 ? null : sumInWords(tally.cost), currency, tally.unpriced],
    ]);
  return [csvLine(head), ...bills.flatMap(({ client, lines }) => lines.map((line) => lineOf(client, line)))].join("\n");
};
