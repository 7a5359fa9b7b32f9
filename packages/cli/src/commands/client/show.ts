import { findClient } from "@aigw/core/acts";
import { type Client, standingOf } from "@aigw/core/clients";
import { DEFAULT_WEIGHT, type Plan, readPlans, termsAmong } from "@aigw/core/plans";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { clientJson } from "../../json/client.ts";
import { renderFields } from "../../terminal/output/fields.ts";
import { when } from "../../terminal/output/time.ts";
import type { View } from "../../terminal/output/view.ts";
import { existingName } from "./client-name.ts";

export const command = (ctx: Context): Command =>
  describe("show", "Show one client.", [
    ["aigw client show john", "all that is known of john, save for the password"],
    ["aigw client show john --json | jq -r .client.expiresAt", "one field"],
  ])
    .argument("[name]", "the client's name")
    .usage("<name>")
    .action(async (given: string | undefined) => run({ name: await existingName(ctx, given, "show") }, ctx));

export const run = ({ name }: { readonly name: string }, ctx: Context): Promise<void> =>
  ctx.withControl(async (control) => {
    const client = await findClient(control, name);
    const plans = await readPlans(control, [client]);
    await ctx.out.answer({
      json: () => ({ client: clientJson(client, ctx.clock.now(), plans) }),
      quiet: () => client.name,
      text: (view) => renderFields(view, fieldsOf(view, client, plans)),
    });
  });

const fieldsOf = (
  view: View,
  client: Client,
  plans: ReadonlyMap<string, Plan>,
): readonly (readonly [string, string])[] => {
  const terms = termsAmong(client, plans);
  const plan = client.plan === undefined ? undefined : plans.get(client.plan);
  const ofPlan = (own: unknown, said: unknown): string => (own === undefined && said !== undefined ? " (plan)" : "");
  return [
    ["Name", client.name],
    ["Status", standingOf(client, view.now)],
    ["Id", client.id],
    ["Display name", client.displayName ?? ""],
    ["E-mail", client.email ?? ""],
    ["Plan", client.plan ?? ""],
    ["Services", `${terms.services?.join(", ") ?? "all"}${ofPlan(client.services, plan?.services)}`],
    ["Limit", `${terms.limit} in any 60 s${ofPlan(client.limit, plan?.limit)}`],
    ["Quota", terms.quota === undefined ? "" : `${terms.quota}${ofPlan(client.quota, plan?.quota)}`],
    ["Weight", terms.weight === DEFAULT_WEIGHT ? "" : `${terms.weight}${ofPlan(client.weight, plan?.weight)}`],
    ["Expires", client.expiresAt === undefined ? "never" : when(view, client.expiresAt)],
    ["Created", when(view, client.createdAt)],
    ["Password set", when(view, client.passwordChangedAt)],
    ["Quick start proven", client.provenAt === undefined ? "never" : when(view, client.provenAt)],
    ["Revoked", client.revokedAt === undefined ? "" : when(view, client.revokedAt)],
    ["Note", client.note ?? ""],
  ];
};
