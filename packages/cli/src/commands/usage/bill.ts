import { AigwError } from "@aigw/core/errors";
import { type CalendarPeriod, periodAt, timeZone } from "@aigw/core/quotas";
import { BILL_KEYS, type Bill, billsOf, DAY_MS, emptyTally } from "@aigw/core/usage";
import type { Command } from "commander";
import { UsageError } from "../../app/cli-error.ts";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { flag } from "../../app/flag.ts";
import { settingsInForce } from "../../app/settings.ts";
import { reserveMessageFile } from "../../delivery/mail/message-file.ts";
import { type BillsOfMonth, billCsv, billsJson, type NamedBill } from "../../json/usage-bill.ts";
import { escapeText } from "../../terminal/output/escape.ts";
import { counted } from "../../terminal/output/words.ts";
import { billHtml } from "./bill-html.ts";
import { renderBills } from "./bill-page.ts";
import { assertKnown } from "./filter-flags.ts";

export interface BillOptions {
  /** Its first day in UTC, milliseconds since the epoch; undefined: the last one that is over. */
  readonly month: number | undefined;
  readonly client: string | undefined;
  readonly csv: boolean;
  /** A file that is written instead of showing the bills. */
  readonly html: string | undefined;
  readonly force: boolean;
}

export const command = (ctx: Context): Command =>
  describe("bill", "What each client used in a month, and what it cost: a page for each, to be sent.", [
    ["aigw usage bill", "the last month that is over, everybody"],
    ["aigw usage bill --month 2027-01 --client john --html john.html", "to be printed, or sent"],
    ["aigw usage bill --month 2027-01 --csv > january.csv", "a line for each client, service and model"],
  ])
    .option(
      "--month <month>",
      "such as 2027-01, in the setting timezone; the last that is over",
      flag("--month", parseMonth),
    )
    .option("--client <name>", "of this client only")
    .option("--csv", "comma-separated values", false)
    .option("--html <file>", "a file that prints well, a page for each client")
    .option("--force", "replace a file that is there", false)
    .action(({ month, client, csv, html, force }: Partial<BillOptions> & Pick<BillOptions, "csv" | "force">) => {
      const forms = [csv, html !== undefined, ctx.globals.json].filter(Boolean);
      if (forms.length > 1) throw new UsageError("--csv, --html and --json exclude each other: give one of them.");
      if (force && html === undefined) throw new UsageError("--force goes with --html: nothing else writes a file.");
      return run({ month, client, csv, html, force }, ctx);
    });

const parseMonth = (value: string): number => {
  const [, year = "", month = ""] = /^(\d{4})-(0[1-9]|1[0-2])$/.exec(value) ?? [];
  if (Number(year) >= 1970) return Date.UTC(Number(year), Number(month) - 1);
  throw new AigwError("invalid_value", `month '${value}' is not valid: use one such as 2027-01.`);
};

export const run = (options: BillOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async ({ store, clock }) => {
    const { client, csv, html, force } = options;
    const filter = client === undefined ? {} : { client };
    await assertKnown(store, filter);
    const settings = settingsInForce(ctx, await store.control.settings());
    const zone = settings.timezone.value ?? "UTC";
    const month = monthOf(options.month, zone, clock.now());
    const report = await store.traffic.usageReport({
      by: BILL_KEYS,
      filter: { ...filter, since: month.start },
      until: month.end,
    });
    const found = billsOf(report.rows);
    const bills = client !== undefined && found.length === 0 ? [nothingOf(client)] : found;
    const names = new Map((await store.control.clients()).map(({ name, displayName }) => [name, displayName]));
    const document: BillsOfMonth = {
      ...{ month: month.label, zone, since: report.since, until: report.until ?? month.end },
      currency: settings.currency.value ?? null,
      bills: bills.map((bill): NamedBill => ({ ...bill, displayName: names.get(bill.client) ?? null })),
    };
    if (csv) await ctx.out.line(billCsv(document));
    else if (html !== undefined) await write(ctx, html, force, document);
    else
      await ctx.out.answer({
        json: () => billsJson(document),
        quiet: () => bills.map((bill) => bill.client),
        text: (view) => renderBills(view, document),
      });
    if (bills.length === 0) await ctx.out.note(`Nobody was let through to a service in ${month.label}.`);
    if (month.end > clock.now()) await ctx.out.note(`${month.label} is not over: this is up to now.`);
    if (report.since !== month.start || report.until !== month.end)
      await ctx.out.note(
        "Single calls of that time have been pruned: the bill is of whole days of UTC, and its edges are not those of the setting timezone.",
      );
  });

const nothingOf = (client: string): Bill => ({ client, lines: [], total: emptyTally() });

/** @param first its first day in UTC: the middle of it lies in the same month in every zone */
const monthOf = (first: number | undefined, zone: string, now: number): CalendarPeriod => {
  const at = timeZone(zone);
  if (first !== undefined) return periodAt("month", at, first + HALF_A_MONTH_MS);
  return periodAt("month", at, periodAt("month", at, now).start - 1);
};

const HALF_A_MONTH_MS = 14 * DAY_MS;

const write = async (ctx: Context, path: string, force: boolean, document: BillsOfMonth): Promise<void> => {
  if (document.bills.length === 0) return;
  const file = reserveMessageFile(path, force);
  try {
    file.write(Buffer.from(billHtml(document), "utf8"));
  } finally {
    file.discard();
  }
  const what = ctx.out.mode === "quiet" ? "" : `: ${counted(document.bills.length, "bill")} of ${document.month}.`;
  await ctx.out.line(escapeText(path) + what);
};
