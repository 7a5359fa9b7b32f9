import type { Command } from "commander";
import { describe } from "../../../app/command.ts";
import type { Context } from "../../../app/context.ts";
import { takeOut } from "../../../delivery/outbox.ts";
import { confirmed } from "../../../terminal/ask.ts";
import { counted, listed } from "../../../terminal/output/words.ts";
import { prose } from "../../../terminal/output/wrap.ts";
import { judgedIn } from "./waiting.ts";

export interface ClearOptions {
  /** None: those that are of no use. */
  readonly names: readonly string[];
  readonly all: boolean;
}

export const command = (ctx: Context): Command =>
  describe("clear", "Delete e-mails that wait: those that are of no use any more, or those that are named.", [
    ["aigw onboard unsent clear", "those whose password does not count, or not any more"],
    ["aigw onboard unsent clear john", "john's: its password then stands nowhere"],
    ["aigw onboard unsent clear --all --yes", "every one, in a script"],
  ])
    .argument("[name...]", "the clients' names")
    .option("--all", "every one", false)
    .action((names: readonly string[], { all }: { readonly all: boolean }) => run({ names, all }, ctx));

export const run = ({ names, all }: ClearOptions, ctx: Context): Promise<void> =>
  ctx.withControl(async (control) => {
    const judged = await judgedIn(ctx, control, names);
    const chosen = judged.filter(({ worth }) => all || names.length > 0 || worth === "void");
    const counting = chosen.filter(({ worth }) => worth !== "void").map(({ client }) => client);
    if (counting.length > 0) {
      const impact = `The password of ${listed(counting)} stands nowhere but in there, and will be gone: nobody will ever see it.`;
      await confirmed(ctx, impact, `Delete ${counted(chosen.length, "e-mail")}?`);
    }
    for (const message of chosen) takeOut(message);
    await ctx.out.answer({
      json: () => ({ cleared: chosen.map(({ client, path }) => ({ client, path })) }),
      quiet: () => chosen.map(({ client }) => client),
      text: (view) => prose(view, `${counted(chosen.length, "e-mail")} deleted.`),
    });
    const left = judged.length - chosen.length;
    if (left > 0)
      await ctx.out.note(`${counted(left, "e-mail")} can still be sent, and ${left === 1 ? "stays" : "stay"}.`);
  });
