import type { Command } from "commander";
import { describe } from "../../../app/command.ts";
import type { Context } from "../../../app/context.ts";
import { type Column, renderTable } from "../../../terminal/output/table.ts";
import { rfc3339, when } from "../../../terminal/output/time.ts";
import { judgedIn, worthInWords } from "./waiting.ts";

export const command = (ctx: Context): Command =>
  describe("list", "List the e-mails that wait, the oldest first.", [
    ["aigw onboard unsent list", "whose, since when, and whether the password in it still counts"],
    ["aigw onboard unsent list --json | jq -r '.unsent[] | select(.worth == \"counts\") | .path'", "the files"],
  ]).action(() => run(ctx));

export const run = (ctx: Context): Promise<void> =>
  ctx.withControl(async (control) => {
    const judged = await judgedIn(ctx, control, []);
    await ctx.out.answer({
      json: () => ({
        unsent: judged.map(({ client, to, at, worth, path }) => ({ client, to, at: rfc3339(at), worth, path })),
      }),
      quiet: () => judged.map(({ path }) => path),
      text: (view) =>
        judged.length === 0
          ? ""
          : renderTable(
              view,
              COLUMNS,
              judged.map((one) => [one.client, one.to, when(view, one.at), worthInWords(one), one.path]),
            ),
    });
    if (judged.length === 0) await ctx.out.note("No e-mail waits.");
    else
      await ctx.out.note("Send what can be sent: aigw onboard unsent send. Delete the rest: aigw onboard unsent clear");
  });

const COLUMNS: readonly Column[] = [
  { title: "Client" },
  { title: "To", key: true },
  { title: "Made" },
  { title: "State" },
  { title: "File", key: true },
];
