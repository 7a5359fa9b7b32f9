import { findClient } from "@aigw/core/acts";
import { type Client, limitOf, standingOf } from "@aigw/core/clients";
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
    await ctx.out.answer({
      json: () => ({ client: clientJson(client, ctx.clock.now()) }),
      quiet: () => client.name,
      text: (view) => renderFields(view, fieldsOf(view, client)),
    });
  });

const fieldsOf = (view: View, client: Client): readonly (readonly [string, string])[] => [
  ["Name", client.name],
  ["Status", standingOf(client, view.now)],
  ["Id", client.id],
  ["Display name", client.displayName ?? ""],
  ["E-mail", client.email ?? ""],
  ["Services", client.services?.join(", ") ?? "all"],
  ["Limit", `${limitOf(client)} in any 60 s`],
  ["Expires", client.expiresAt === undefined ? "never" : when(view, client.expiresAt)],
  ["Created", when(view, client.createdAt)],
  ["Password set", when(view, client.passwordChangedAt)],
  ["Quick start proven", client.provenAt === undefined ? "never" : when(view, client.provenAt)],
  ["Revoked", client.revokedAt === undefined ? "" : when(view, client.revokedAt)],
  ["Note", client.note ?? ""],
];
