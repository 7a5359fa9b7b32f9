import type { Plan } from "@aigw/core";
import { namesOn } from "@aigw/core/acts";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { planJson } from "../../json/plan.ts";
import { grouped } from "../../terminal/output/figures.ts";
import { type Cell, type Column, renderTable } from "../../terminal/output/table.ts";
import { when } from "../../terminal/output/time.ts";
import type { View } from "../../terminal/output/view.ts";

export const command = (ctx: Context): Command =>
  describe("list", "List all plans, with how many clients are on each.", [
    ["aigw plan list", "a table"],
    ["aigw plan list -q", "the names, a line each"],
    ["aigw client list --plan basic", "who is on one"],
  ]).action(() => run(ctx));

export const run = (ctx: Context): Promise<void> =>
  ctx.withControl(async (control) => {
    const plans = await control.plans();
    const clients = ctx.out.mode === "quiet" || plans.length === 0 ? [] : await control.clients();
    const on = (plan: Plan): number => namesOn(clients, plan.name).length;
    await ctx.out.answer({
      json: () => ({ plans: plans.map((plan) => planJson(plan, on(plan))) }),
      quiet: () => plans.map(({ name }) => name),
      text: (view) =>
        plans.length === 0
          ? ""
          : renderTable(
              view,
              COLUMNS,
              plans.map((plan) => row(view, plan, on(plan))),
            ),
    });
    if (plans.length === 0) await ctx.out.note("There is no plan yet. Add one: aigw plan add <name>");
  });

const COLUMNS: readonly Column[] = [
  { title: "Name" },
  { title: "Clients", align: "right" },
  { title: "Limit", align: "right" },
  { title: "Services" },
  { title: "Quota" },
  { title: "Weight", align: "right" },
  { title: "Created" },
];

const row = (view: View, plan: Plan, clients: number): readonly Cell[] => [
  plan.name,
  grouped(clients),
  plan.limit === undefined ? "" : String(plan.limit),
  plan.services?.join(",") ?? "all",
  plan.quota ?? "",
  plan.weight === undefined ? "" : String(plan.weight),
  when(view, plan.createdAt),
];
