import type { Client, ControlStore, TrafficStore } from "@aigw/core";
import { limitOf } from "@aigw/core/clients";
import { isStoreFault } from "@aigw/core/errors";
import type { Command } from "commander";
import { choiceOption, choicesOption } from "../../app/choice-option.ts";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { flag } from "../../app/flag.ts";
import { parseAge, parseCount } from "../../app/parse-value.ts";
import { clientJson } from "../../json/client.ts";
import { grouped } from "../../terminal/output/figures.ts";
import { standingCell } from "../../terminal/output/standing.ts";
import { type Cell, type Column, renderTable } from "../../terminal/output/table.ts";
import { rfc3339, when } from "../../terminal/output/time.ts";
import type { View } from "../../terminal/output/view.ts";
import { counted } from "../../terminal/output/words.ts";
import {
  type ClientFilter,
  type ListedClient,
  listedClients,
  matching,
  SORTS,
  type Sort,
  STANDINGS,
  sorted,
  type Totals,
  totalsOf,
} from "./listed-clients.ts";

export interface ListOptions extends ClientFilter {
  readonly sort: Sort;
  readonly limit?: number;
}

export const command = (ctx: Context): Command =>
  describe("list", "List clients, with when each called last.", [
    ["aigw client list", "all of them, by name"],
    ["aigw client list --idle 30d --status active", "who could call, and has not for 30 days"],
    ["aigw client list --service ocr --sort last-call --limit 10", "the last ten callers among those who may call ocr"],
    ["aigw client list --status revoked -q", "the names alone, a line each"],
  ])
    .optionsGroup("Which clients:")
    .addOption(choicesOption("--status <statuses>", "status", "active, expired or revoked; or several", STANDINGS))
    .option("--service <name>", "those that may call this service")
    .option("--idle <age>", "those without a call for 30d, 12h …", flag("--idle", parseAge))
    .optionsGroup("Options:")
    .addOption(choiceOption("--sort <key>", "key", SORTS.join(", "), SORTS).default("name" satisfies Sort))
    .option(
      "--limit <number>",
      "show so many at most",
      flag("--limit", (value) => parseCount("number", value, 1, 1_000_000)),
    )
    .action((options: ListOptions) => run(options, ctx));

export const run = (options: ListOptions, ctx: Context): Promise<void> =>
  needsCalls(options, ctx)
    ? ctx.withHome("existing", ({ store }) => show(options, ctx, store.control, store.traffic))
    : ctx.withControl((control) => show(options, ctx, control, undefined));

/** A script that wants the names alone does not pay for a look at the calls. */
const needsCalls = ({ idle, sort }: ListOptions, { out }: Context): boolean =>
  out.mode !== "quiet" || idle !== undefined || sort === "last-call";

const show = async (
  options: ListOptions,
  ctx: Context,
  control: ControlStore,
  traffic: TrafficStore | undefined,
): Promise<void> => {
  const { service, sort, limit = Number.POSITIVE_INFINITY } = options;
  const now = ctx.clock.now();
  const clients = await control.clients();
  if (service !== undefined) await assertService(control, clients, service);
  const lastUsage = traffic && (await lastUsageOf(options, ctx, traffic, clients));
  const found = sorted(matching(listedClients(clients, lastUsage, now), options, now), sort);
  const shown = found.slice(0, limit);
  const total = totalsOf(found);
  await ctx.out.answer({
    isLong: true,
    json: () => ({
      clients: shown.map(({ client, lastCallAt }) => ({
        ...clientJson(client, now),
        lastCallAt: lastCallAt == null ? null : rfc3339(lastCallAt),
      })),
      total,
    }),
    quiet: () => shown.map(({ client }) => client.name),
    text: (view) => {
      const rows = shown.map((one) => row(view, one));
      return rows.length === 0 ? "" : renderTable(view, COLUMNS, rows);
    },
  });
  if (clients.length === 0) await ctx.out.note("There is no client yet. Add one: aigw client add <name>");
  else if (found.length === 0) await ctx.out.note(`None of ${counted(clients.length, "client")} matches.`);
  else if (ctx.io.stdout.isTTY === true) await ctx.out.note(totalsInWords(total, shown.length, clients.length));
};

/** A client may be allowed what has been removed. @throws AigwError `not_found` */
const assertService = async (control: ControlStore, clients: readonly Client[], service: string): Promise<void> => {
  if (clients.some(({ services = [] }) => services.includes(service))) return;
  const { findService } = await import("@aigw/core/acts");
  await findService(control, service);
};

/** Whom there is can be told without it. @throws AigwError `store_*` when what was asked for goes by it */
const lastUsageOf = async (
  { idle, sort }: ListOptions,
  ctx: Context,
  traffic: TrafficStore,
  clients: readonly Client[],
): Promise<ReadonlyMap<string, number> | undefined> => {
  try {
    return await traffic.lastUsage(clients.map(({ name }) => name));
  } catch (error) {
    if (!isStoreFault(error) || idle !== undefined || sort === "last-call") throw error;
    await ctx.out.warn(`When they called last cannot be read: ${error.message}`);
    return undefined;
  }
};

const totalsInWords = ({ clients, ...standings }: Totals, shown: number, all: number): string => {
  const parts = STANDINGS.flatMap((status) =>
    standings[status] > 0 ? [`${grouped(standings[status])} ${status}`] : [],
  );
  const which = clients === all ? counted(all, "client") : `${grouped(clients)} of ${counted(all, "client")}`;
  return `${which}: ${parts.join(", ")}.${shown < clients ? ` The first ${grouped(shown)} are shown.` : ""}`;
};

const COLUMNS: readonly Column[] = [
  { title: "Name" },
  { title: "Status" },
  { title: "Last call" },
  { title: "Limit", align: "right" },
  { title: "Expires" },
  { title: "Services" },
  { title: "Created" },
  { title: "E-mail" },
];

const row = (view: View, { client, standing, lastCallAt }: ListedClient): readonly Cell[] => [
  client.name,
  standingCell(standing),
  lastCallAt === null ? "" : lastCallAt === undefined ? "never" : when(view, lastCallAt),
  String(limitOf(client)),
  client.expiresAt === undefined ? "never" : when(view, client.expiresAt),
  client.services?.join(",") ?? "all",
  when(view, client.createdAt),
  client.email ?? "",
];
