import { type Client, limitOf, standingOf } from "@aigw/core/clients";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { clientJson } from "../../json/client.ts";
import { standingCell } from "../../terminal/output/standing.ts";
import { type Cell, type Column, renderTable } from "../../terminal/output/table.ts";
import { when } from "../../terminal/output/time.ts";
import type { View } from "../../terminal/output/view.ts";

export const command = (ctx: Context): Command =>
  describe("list", "List all clients.", [
    ["aigw client list", "a table"],
    ["aigw client list --json | jq '.clients[] | select(.status == \"revoked\") | .name'", "the revoked ones"],
    ["aigw client list -q", "the names, a line each"],
  ]).action(() => run(ctx));

export const run = (ctx: Context): Promise<void> =>
  ctx.withControl(async (control) => {
    const clients = await control.clients();
    await ctx.out.answer({
      json: () => ({ clients: clients.map((client) => clientJson(client, ctx.clock.now())) }),
      quiet: () => clients.map((client) => client.name),
      text: (view) =>
        clients.length === 0
          ? ""
          : renderTable(
              view,
              COLUMNS,
              clients.map((client) => row(view, client)),
            ),
    });
    if (clients.length === 0) await ctx.out.note("There is no client yet. Add one: aigw client add <name>");
  });

const COLUMNS: readonly Column[] = [
  { title: "Name" },
  { title: "Status" },
  { title: "Limit", align: "right" },
  { title: "Expires" },
  { title: "Created" },
  { title: "Services" },
  { title: "E-mail" },
];

const row = (view: View, client: Client): readonly Cell[] => [
  client.name,
  standingCell(standingOf(client, view.now)),
  String(limitOf(client)),
  client.expiresAt === undefined ? "never" : when(view, client.expiresAt),
  when(view, client.createdAt),
  client.services?.join(",") ?? "all",
  client.email ?? "",
];
