import { type AddClientInput, addClient } from "@aigw/core/acts";
import { parseClientName } from "@aigw/core/clients";
import { readPlans } from "@aigw/core/plans";
import type { Command } from "commander";
import { addFactOptions, type ClientFactOptions } from "../../app/client-options.ts";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { deliverPassword } from "../../delivery/credentials.ts";
import { need } from "../../terminal/ask.ts";
import { readPassword } from "../../terminal/secret-input.ts";

export interface AddOptions {
  readonly input: Omit<AddClientInput, "password">;
  /** The admin brings a password, on stdin. */
  readonly passwordStdin: boolean;
}

export const command = (ctx: Context): Command =>
  addFactOptions(
    describe("add", "Add a client. Its password is generated and shown once.", [
      ["aigw client add john", "john, who may call every service, 60 times a minute"],
      ["aigw client add mary --services ocr,chat --limit 600 --expires 2027-01-31", "mary, with bounds"],
      ["aigw client add ann --plan basic", "ann, as the plan basic says"],
      ["PASSWORD=$(aigw client add batch -q)", "for a script: the password alone"],
      ["pass show mary | aigw client add mary --password-stdin", "a password of your own"],
    ]),
    ctx.clock,
  )
    .argument("[name]", "the username: a-z 0-9 . _ -")
    .usage("<name> [options]")
    .option("--password-stdin", "take the password from standard input", false)
    .action(async (given: string | undefined, flags: ClientFactOptions & { passwordStdin: boolean }) => {
      const name = await need(ctx, given, {
        argument: "<name>",
        usage: "aigw client add <name>",
        question: "Username of the new client",
        parse: parseClientName,
      });
      await run({ input: { name, ...factsOf(flags) }, passwordStdin: flags.passwordStdin }, ctx);
    });

const factsOf = (flags: ClientFactOptions): Omit<AddClientInput, "name" | "password"> => ({
  ...(flags.email ? { email: flags.email } : {}),
  ...(flags.displayName ? { displayName: flags.displayName } : {}),
  ...(flags.note ? { note: flags.note } : {}),
  ...(flags.services?.names ? { services: flags.services.names } : {}),
  ...(flags.limit ? { limit: flags.limit } : {}),
  ...(flags.plan ? { plan: flags.plan } : {}),
  ...(flags.quota ? { quota: flags.quota } : {}),
  ...(flags.weight ? { weight: flags.weight } : {}),
  ...(flags.expires ? { expiresAt: flags.expires.at } : {}),
});

export const run = async ({ input, passwordStdin }: AddOptions, ctx: Context): Promise<void> => {
  const chosen = passwordStdin ? await readPassword(ctx) : undefined;
  await ctx.withHome("initialise", async (home) => {
    const plans = await readPlans(home.store.control, [input]);
    const { result } = await addClient(home, { ...input, ...(chosen === undefined ? {} : { password: chosen }) });
    await deliverPassword(ctx, { ...result, plans, generated: chosen === undefined, done: `${input.name} added.` });
  });
};
