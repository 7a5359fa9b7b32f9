import { findPlan, namesOn } from "@aigw/core/acts";
import { DEFAULT_LIMIT } from "@aigw/core/clients";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { planJson } from "../../json/plan.ts";
import { renderFields } from "../../terminal/output/fields.ts";
import { when } from "../../terminal/output/time.ts";
import { listed } from "../../terminal/output/words.ts";
import { existingName } from "./plan-name.ts";

export const command = (ctx: Context): Command =>
  describe("show", "Show one plan, and who is on it.", [
    ["aigw plan show basic", "what it says"],
    ["aigw plan show basic --json | jq -r '.clients[]'", "who is on it"],
  ])
    .argument("[name]", "the plan's name")
    .usage("<name>")
    .action(async (given: string | undefined) => run({ name: await existingName(ctx, given, "show") }, ctx));

export const run = ({ name }: { readonly name: string }, ctx: Context): Promise<void> =>
  ctx.withControl(async (control) => {
    const plan = await findPlan(control, name);
    const clients = namesOn(await control.clients(), name);
    await ctx.out.answer({
      json: () => ({ plan: planJson(plan, clients.length), clients }),
      quiet: () => plan.name,
      text: (view) =>
        renderFields(view, [
          ["Name", plan.name],
          [
            "Limit",
            plan.limit === undefined ? `the default, ${DEFAULT_LIMIT} in any 60 s` : `${plan.limit} in any 60 s`,
          ],
          ["Services", plan.services?.join(", ") ?? "all"],
          ["Quota", plan.quota ?? ""],
          ["Weight", plan.weight === undefined ? "" : String(plan.weight)],
          ["Clients", clients.length === 0 ? "nobody" : listed(clients)],
          ["Created", when(view, plan.createdAt)],
        ]),
    });
  });
