import { findServices, removeServices } from "@aigw/core/acts";
import { mayCall, readPlans, termsAmong } from "@aigw/core/plans";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { awaitApplied, reportChanges, subjects } from "../../app/gateways.ts";
import { serviceJson } from "../../json/service.ts";
import { confirmed } from "../../terminal/ask.ts";
import { counted, listed } from "../../terminal/output/words.ts";
import { existingNames } from "./service-name.ts";

export interface RemoveOptions {
  readonly names: readonly string[];
  readonly wait: boolean;
}

export const command = (ctx: Context): Command =>
  describe("remove", "Remove services: /api/<name> is gone at once.", [
    ["aigw service remove ocr", "asks first"],
    ["aigw service remove ocr chat --yes", "both or neither, in a script"],
  ])
    .argument("[name...]", "the services' names")
    .usage("<name>… [options]")
    .option("--no-wait", "do not wait for the gateways")
    .action(async (given: readonly string[], { wait }: { wait: boolean }) => {
      await run({ names: await existingNames(ctx, given, "remove"), wait }, ctx);
    });

export const run = ({ names, wait }: RemoveOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const { control } = home.store;
    await findServices(control, names);
    const clients = await control.clients();
    const services = await control.services();
    const plans = await readPlans(control, clients);
    const hit = names.map((name) => {
      const callers = clients.filter((client) => mayCall(termsAmong(client, plans), name)).length;
      const leaning = services.filter(({ fallback }) => fallback === name).map((service) => service.name);
      const without = leaning.length === 0 ? "" : ` ${listed(leaning)} will have no fallback any more.`;
      return `/api/${name} will be gone at once, for the ${counted(callers, "client")} that may call it.${without}`;
    });
    await confirmed(ctx, hit.join(" "), `Remove ${listed(names)}?`);
    const { result, rev } = await removeServices(home, names);
    const reports = result.map(({ subject, changed }) => ({
      sentence: `${subject.name} removed.`,
      quiet: subject.name,
      json: { service: serviceJson(subject), changed },
    }));
    await reportChanges(ctx, "services", reports, await awaitApplied(home, rev, `${subjects(names)} removed`, wait));
  });
