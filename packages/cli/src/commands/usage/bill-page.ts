import { COST, type UsageTally } from "@aigw/core/usage";
import { type BillsOfMonth, type NamedBill, unitsOfBills } from "../../json/usage-bill.ts";
import { escapeText } from "../../terminal/output/escape.ts";
import { grouped, humanCost, humanUnits } from "../../terminal/output/figures.ts";
import { type Column, renderTable } from "../../terminal/output/table.ts";
import { rfc3339 } from "../../terminal/output/time.ts";
import type { View } from "../../terminal/output/view.ts";
import { prose } from "../../terminal/output/wrap.ts";

/** A bill in words, for a terminal and for paper. */
export interface BillPage {
  /** `Usage in January 2027`. */
  readonly title: string;
  readonly client: string;
  readonly period: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
  readonly total: readonly string[];
  /** What is not in the figures, a sentence each. */
  readonly notes: readonly string[];
}

export const billPages = (document: BillsOfMonth): readonly BillPage[] =>
  document.bills.map((bill) => pageOf(document, bill));

export const renderBills = async (view: View, document: BillsOfMonth): Promise<string> => {
  const pages: string[] = [];
  for (const { title, client, period, columns, rows, total, notes } of billPages(document)) {
    const head = `${view.style.bold(`${escapeText(client)}  ${title}`)}\n${view.style.dim(period)}`;
    const last = total.map((text) => (view.isTerminal && text !== "" ? { text, tone: "bold" as const } : text));
    const table = rows.length === 0 ? "No calls." : await renderTable(view, columns, [...rows, last]);
    pages.push([head, table, ...notes.map((note) => prose(view, note))].join("\n\n"));
  }
  return pages.join("\n\n\n");
};

const pageOf = ({ month, zone, since, until, currency }: BillsOfMonth, bill: NamedBill): BillPage => {
  const units = unitsOfBills([bill]);
  const hasModels = bill.lines.some(({ model }) => model !== "");
  const hasCost = bill.total.priced > 0;
  const figures = (tally: UsageTally): readonly string[] => [
    grouped(tally.timed),
    ...units.map((unit) => humanOf(tally.units.get(unit), humanUnits)),
    ...(hasCost ? [humanOf(tally.priced > 0 ? tally.cost : undefined, humanCost)] : []),
  ];
  const numbers = ["Calls", ...units, ...(hasCost ? [currency === null ? "Cost" : `Cost (${currency})`] : [])];
  return {
    title: `Usage in ${monthInWords(month)}`,
    client: bill.displayName === null ? bill.client : `${bill.displayName} (${bill.client})`,
    period: `${minute(since)} to ${minute(until)} UTC${zone === "UTC" ? "" : `: a month in ${zone}`}`,
    columns: [
      { title: "Service", key: true },
      ...(hasModels ? [{ title: "Model", key: true }] : []),
      ...numbers.map((title): Column => ({ title, align: "right" })),
    ],
    rows: bill.lines.map(({ service, model, tally }) => [service, ...(hasModels ? [model] : []), ...figures(tally)]),
    // A blank is left blank, where nothing at all is a dash.
    total: ["Total", ...(hasModels ? [" "] : []), ...figures(bill.total)],
    notes: notesOf(bill.total),
  };
};

const humanOf = (sum: bigint | undefined, human: (sum: bigint) => string): string =>
  sum === undefined ? "" : human(sum);

const notesOf = ({ unpriced, metered, unread, estimated }: UsageTally): readonly string[] => [
  ...(unpriced > 0
    ? [`${calls(unpriced)} had no price, and ${unpriced === 1 ? "is" : "are"} not in the ${COST}.`]
    : []),
  ...(unread > 0
    ? [`Of ${calls(metered)} that ${metered === 1 ? "was" : "were"} metered, ${grouped(unread)} could not be read.`]
    : []),
  ...(estimated > 0 ? [`${calls(estimated)} broke off or said no totals: what came of them was counted instead.`] : []),
];

const calls = (count: number): string => `${grouped(count)} ${count === 1 ? "call" : "calls"}`;

/** @param month `2027-01` */
const monthInWords = (month: string): string =>
  new Date(`${month}-01T00:00:00Z`).toLocaleDateString("en-US", { month: "long", year: "numeric", timeZone: "UTC" });

const minute = (at: number): string => rfc3339(at).slice(0, 16).replace("T", " ");
