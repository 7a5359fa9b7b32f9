import { findClient, revokeClient } from "@aigw/core/acts";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { awaitApplied, reportChange } from "../../app/gateways.ts";
import { clientJson } from "../../json/client.ts";
import { confirmed } from "../../terminal/ask.ts";
import { existingName } from "./client-name.ts";

export interface RevokeOptions {
  readonly name: string;
  readonly wait: boolean;
}

export const command = (ctx: Context): Command =>
  describe("revoke", "Refuse a client everywhere within a second, open streams included.", [
    ["aigw client revoke john", "asks, revokes, and says which gateways have applied it"],
    ["aigw client revoke john --yes --json", "for a script, with the receipt"],
  ])
    .argument("[name]", "the client's name")
    .usage("<name> [options]")
    .option("--no-wait", "do not wait for the gateways")
    .action(async (given: string | undefined, { wait }: { wait: boolean }) => {
      await run({ name: await existingName(ctx, given, "revoke"), wait }, ctx);
    });

export const run = ({ name, wait }: RevokeOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const before = await findClient(home.store.control, name);
    if (before.status !== "revoked") {
      await confirmed(ctx, `${name} is refused everywhere at once; its open calls are cut off.`, `Revoke ${name}?`);
    }
    const { result: client, rev, changed } = await revokeClient(home, name);
    await reportChange(ctx, {
      applied: await awaitApplied(home, rev, `${name} is revoked`, wait),
      sentence: changed ? `${name} revoked.` : `${name} is revoked already; nothing to do.`,
      quiet: name,
      json: { client: clientJson(client, ctx.clock.now()), changed },
    });
  });
