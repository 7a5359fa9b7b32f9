import type { Client, ControlStore, Plan, TrafficStore } from "@aigw/core";
import { isStoreFault } from "@aigw/core/errors";
import type { Command } from "commander";
import { choiceOption, choicesOption } from "../../app/choice-option.ts";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { flag } from "../../app/flag.ts";
import { parseAge, parseCount } from "../../app/parse-value.ts";
import { rfc3339 } from "../../terminal/output/time.ts";
import {
  type ClientFilter,
  listedClients,
  matching,
  SORTS,
  type Sort,
  STANDINGS,
  sorted,
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
    .option("--plan <name>", "those that are on this plan")
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

/** Nor for what each may call, and how often. */
const needsTerms = ({ service, sort }: ListOptions, { out }: Context): boolean =>
  out.mode !== "quiet" || service !== undefined || sort === "limit";

const show = async (
  options: ListOptions,
  ctx: Context,
  control: ControlStore,
  traffic: TrafficStore | undefined,
): Promise<void> => {
  const { service, plan, sort, limit = Number.POSITIVE_INFINITY } = options;
  const now = ctx.clock.now();
  const clients = await control.clients();
  if (service !== undefined) await assertService(control, clients, service);
  if (plan !== undefined) await assertPlan(control, plan);
  const plans = needsTerms(options, ctx) ? await import("@aigw/core/plans") : undefined;
  const known = (await plans?.readPlans(control, clients)) ?? new Map<string, Plan>();
  const reader = plans && { termsOf: (client: Client) => plans.termsAmong(client, known), mayCall: plans.mayCall };
  const lastUsage = traffic && (await lastUsageOf(options, ctx, traffic, clients));
  const found = sorted(matching(listedClients(clients, reader, lastUsage, now), options, reader, now), sort);
  const shown = found.slice(0, limit);
  const total = totalsOf(found);
  const json = ctx.out.mode === "json" ? await import("../../json/client.ts") : undefined;
  await ctx.out.answer({
    isLong: true,
    json: () => ({
      clients: shown.map(({ client, lastCallAt }) => ({
        ...json?.clientJson(client, now, known),
        lastCallAt: lastCallAt == null ? null : rfc3339(lastCallAt),
      })),
      total,
    }),
    quiet: () => shown.map(({ client }) => client.name),
    text: async (view) => (await import("./client-table.ts")).clientTable(view, shown),
  });
  // What is for people is loaded for them.
  if (ctx.out.mode !== "text") return;
  const { sumInWords } = await import("./client-table.ts");
  const sum = sumInWords(total, shown.length, clients.length);
  if (found.length === 0 || ctx.io.stdout.isTTY === true) await ctx.out.note(sum);
};

/** A client may be allowed what has been removed. @throws AigwError `not_found` */
const assertService = async (control: ControlStore, clients: readonly Client[], service: string): Promise<void> => {
  if (clients.some(({ services = [] }) => services.includes(service))) return;
  const { findService } = await import("@aigw/core/acts");
  await findService(control, service);
};

/** @throws AigwError `not_found` */
const assertPlan = async (control: ControlStore, plan: string): Promise<void> => {
  const { findPlan } = await import("@aigw/core/acts");
  await findPlan(control, plan);
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
