import { findClient, setPassword } from "@aigw/core/acts";
import { standingOf } from "@aigw/core/clients";
import { readPlans } from "@aigw/core/plans";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { awaitApplied } from "../../app/gateways.ts";
import { deliverPassword } from "../../delivery/credentials.ts";
import { confirmed } from "../../terminal/ask.ts";
import { readPassword } from "../../terminal/secret-input.ts";
import { existingName } from "./client-name.ts";

export interface PasswdOptions {
  readonly name: string;
  readonly passwordStdin: boolean;
  readonly wait: boolean;
}

export const command = (ctx: Context): Command =>
  describe("passwd", "Give a client a new password. The old one and every token stop working.", [
    ["aigw client passwd john", "a generated one, shown once"],
    ["aigw client passwd john --password-stdin --yes <password.txt", "one of your own, in a script"],
  ])
    .argument("[name]", "the client's name")
    .usage("<name> [options]")
    .option("--password-stdin", "take the password from standard input", false)
    .option("--no-wait", "do not wait for the gateways")
    .action(async (given: string | undefined, flags: { passwordStdin: boolean; wait: boolean }) => {
      await run({ name: await existingName(ctx, given, "passwd"), ...flags }, ctx);
    });

export const run = ({ name, passwordStdin, wait }: PasswdOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const plans = await readPlans(home.store.control, [await findClient(home.store.control, name)]);
    await confirmed(
      ctx,
      `The password of ${name} and its tokens will stop working at once.`,
      `New password for ${name}?`,
    );
    const chosen = passwordStdin ? await readPassword(ctx) : undefined;
    const { result, rev } = await setPassword(home, name, chosen);
    const done = `${name} has a new password.`;
    const delivery = { ...result, plans, generated: chosen === undefined, done };
    const asJson = ctx.out.mode === "json";
    // Shown before the wait, so that whoever loses patience has it. JSON is one document, so it comes at the end.
    if (!asJson) await deliverPassword(ctx, delivery);
    const applied = await awaitApplied(home, rev, `${name} has a new password`, wait);
    if (asJson) await deliverPassword(ctx, { ...delivery, json: { receipt: applied.receipt } });
    if (applied.problem !== undefined) throw applied.problem;
    await ctx.out.note(applied.text);
    await warnIfRefused(ctx, name, standingOf(result.client, ctx.clock.now()));
  });

const warnIfRefused = async (ctx: Context, name: string, standing: string): Promise<void> => {
  if (standing === "revoked") await ctx.out.warn(`${name} is revoked and stays so until: aigw client restore ${name}`);
  if (standing === "expired") {
    await ctx.out.warn(`${name} has expired and is refused until: aigw client set ${name} --no-expires`);
  }
};
