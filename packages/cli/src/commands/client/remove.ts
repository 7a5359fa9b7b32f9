import { findClients, removeClients } from "@aigw/core/acts";
import { readPlans } from "@aigw/core/plans";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { awaitApplied, reportChanges, subjects } from "../../app/gateways.ts";
import { clientJson } from "../../json/client.ts";
import { confirmed } from "../../terminal/ask.ts";
import { listed } from "../../terminal/output/words.ts";
import { existingNames } from "./client-name.ts";

export interface RemoveOptions {
  readonly names: readonly string[];
  readonly wait: boolean;
}

export const command = (ctx: Context): Command =>
  describe("remove", "Remove clients for good, with their personal data. Their usage stays.", [
    ["aigw client remove john", "asks first"],
    ["aigw client remove john mary --yes", "both or neither, in a script"],
  ])
    .argument("[name...]", "the clients' names")
    .usage("<name>… [options]")
    .option("--no-wait", "do not wait for the gateways")
    .action(async (given: readonly string[], { wait }: { wait: boolean }) => {
      await run({ names: await existingNames(ctx, given, "remove"), wait }, ctx);
    });

export const run = ({ names, wait }: RemoveOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    await findClients(home.store.control, names);
    const [it, its] = names.length === 1 ? ["it", "its e-mail address"] : ["them", "their e-mail addresses"];
    await confirmed(
      ctx,
      `${names.join(", ")} will be removed for good: refused everywhere at once, and ${its}, names and note purged, from the audit trail too. To stop ${it} for a while: aigw client revoke ${names.join(" ")}`,
      `Remove ${listed(names)}?`,
    );
    const { result, rev } = await removeClients(home, names);
    const plans = await readPlans(
      home.store.control,
      result.map(({ subject }) => subject),
    );
    const reports = result.map(({ subject, changed }) => ({
      sentence: `${subject.name} removed.`,
      quiet: subject.name,
      json: { client: clientJson(subject, ctx.clock.now(), plans), changed },
    }));
    await reportChanges(ctx, "clients", reports, await awaitApplied(home, rev, `${subjects(names)} removed`, wait));
  });
