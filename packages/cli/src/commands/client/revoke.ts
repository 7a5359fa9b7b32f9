import { findClients, revokeClients } from "@aigw/core/acts";
import { readPlans } from "@aigw/core/plans";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { awaitApplied, reportChanges, subjects } from "../../app/gateways.ts";
import { clientJson } from "../../json/client.ts";
import { confirmed } from "../../terminal/ask.ts";
import { listed } from "../../terminal/output/words.ts";
import { existingNames } from "./client-name.ts";

export interface RevokeOptions {
  readonly names: readonly string[];
  readonly wait: boolean;
}

export const command = (ctx: Context): Command =>
  describe("revoke", "Refuse clients everywhere within a second, open streams included.", [
    ["aigw client revoke john", "asks, revokes, and says which gateways have applied it"],
    ["aigw client revoke john mary", "both in one change, or neither"],
    ["aigw client revoke john --yes --json", "for a script, with the receipt"],
  ])
    .argument("[name...]", "the clients' names")
    .usage("<name>… [options]")
    .option("--no-wait", "do not wait for the gateways")
    .action(async (given: readonly string[], { wait }: { wait: boolean }) => {
      await run({ names: await existingNames(ctx, given, "revoke", "active"), wait }, ctx);
    });

export const run = ({ names, wait }: RevokeOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const before = await findClients(home.store.control, names);
    const active = before.filter(({ status }) => status !== "revoked").map(({ name }) => name);
    if (active.length > 0) {
      await confirmed(
        ctx,
        `${active.join(", ")} will be refused everywhere at once; open calls will be cut off.`,
        `Revoke ${listed(active)}?`,
      );
    }
    const { result, rev } = await revokeClients(home, names);
    const plans = await readPlans(
      home.store.control,
      result.map(({ subject }) => subject),
    );
    const reports = result.map(({ subject, changed }) => ({
      sentence: changed ? `${subject.name} revoked.` : `${subject.name} is revoked already; nothing to do.`,
      quiet: subject.name,
      json: { client: clientJson(subject, ctx.clock.now(), plans), changed },
    }));
    await reportChanges(ctx, "clients", reports, await awaitApplied(home, rev, `${subjects(names)} revoked`, wait));
  });
