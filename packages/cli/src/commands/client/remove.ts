import { findClient, removeClient } from "@aigw/core/acts";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { awaitApplied, reportChange } from "../../app/gateways.ts";
import { clientJson } from "../../json/client.ts";
import { confirmed } from "../../terminal/ask.ts";
import { existingName } from "./client-name.ts";

export interface RemoveOptions {
  readonly name: string;
  readonly wait: boolean;
}

export const command = (ctx: Context): Command =>
  describe("remove", "Remove a client for good, with its personal data. Its usage stays.", [
    ["aigw client remove john", "asks first"],
    ["aigw client remove john --yes", "in a script"],
  ])
    .argument("[name]", "the client's name")
    .usage("<name> [options]")
    .option("--no-wait", "do not wait for the gateways")
    .action(async (given: string | undefined, { wait }: { wait: boolean }) => {
      await run({ name: await existingName(ctx, given, "remove"), wait }, ctx);
    });

export const run = ({ name, wait }: RemoveOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    await findClient(home.store.control, name);
    await confirmed(
      ctx,
      `${name} is removed for good: it is refused everywhere at once, and its e-mail address, names and note are purged, from the audit trail too. To stop it for a while, revoke it.`,
      `Remove ${name}?`,
    );
    const { result: client, rev, changed } = await removeClient(home, name);
    await reportChange(ctx, {
      applied: await awaitApplied(home, rev, `${name} is removed`, wait),
      sentence: `${name} removed.`,
      quiet: name,
      json: { client: clientJson(client, ctx.clock.now()), changed },
    });
  });
