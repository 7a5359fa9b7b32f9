import { restoreClient } from "@aigw/core/acts";
import { standingOf } from "@aigw/core/clients";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { awaitApplied, reportChange } from "../../app/gateways.ts";
import { clientJson } from "../../json/client.ts";
import { existingName } from "./client-name.ts";

export interface RestoreOptions {
  readonly name: string;
  readonly wait: boolean;
}

export const command = (ctx: Context): Command =>
  describe("restore", "Let a revoked client log in again with its password. Tokens from before stay dead.", [
    ["aigw client restore john", "john may log in again"],
    ["aigw client restore john --no-wait", "without waiting for the gateways"],
  ])
    .argument("[name]", "the client's name")
    .usage("<name> [options]")
    .option("--no-wait", "do not wait for the gateways")
    .action(async (given: string | undefined, { wait }: { wait: boolean }) => {
      await run({ name: await existingName(ctx, given, "restore"), wait }, ctx);
    });

export const run = ({ name, wait }: RestoreOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const { result: client, rev, changed } = await restoreClient(home, name);
    await reportChange(ctx, {
      applied: await awaitApplied(home, rev, `${name} is restored`, wait),
      sentence: changed ? `${name} restored.` : `${name} is not revoked; nothing to do.`,
      quiet: name,
      json: { client: clientJson(client, ctx.clock.now()), changed },
    });
    if (standingOf(client, ctx.clock.now()) === "expired") {
      await ctx.out.warn(`${name} has expired and is refused until: aigw client set ${name} --no-expires`);
    }
  });
