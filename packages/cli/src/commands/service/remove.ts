import { findService, removeService } from "@aigw/core/acts";
import { mayCall } from "@aigw/core/clients";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { awaitApplied, reportChange } from "../../app/gateways.ts";
import { serviceJson } from "../../json/service.ts";
import { confirmed } from "../../terminal/ask.ts";
import { existingName } from "./service-name.ts";

export interface RemoveOptions {
  readonly name: string;
  readonly wait: boolean;
}

export const command = (ctx: Context): Command =>
  describe("remove", "Remove a service: /api/<name> is gone at once.", [
    ["aigw service remove ocr", "asks first"],
    ["aigw service remove ocr --yes", "in a script"],
  ])
    .argument("[name]", "the service's name")
    .usage("<name> [options]")
    .option("--no-wait", "do not wait for the gateways")
    .action(async (given: string | undefined, { wait }: { wait: boolean }) => {
      await run({ name: await existingName(ctx, given, "remove"), wait }, ctx);
    });

export const run = ({ name, wait }: RemoveOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const { control } = home.store;
    await findService(control, name);
    const callers = (await control.clients()).filter((client) => mayCall(client, name)).length;
    await confirmed(
      ctx,
      `/api/${name} is gone at once, for the ${callers} ${callers === 1 ? "client" : "clients"} that may call it.`,
      `Remove ${name}?`,
    );
    const { result: service, rev, changed } = await removeService(home, name);
    await reportChange(ctx, {
      applied: await awaitApplied(home, rev, `${name} is removed`, wait),
      sentence: `${name} removed.`,
      quiet: name,
      json: { service: serviceJson(service), changed },
    });
  });
