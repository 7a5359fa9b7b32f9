import { setService } from "@aigw/core/acts";
import { parseDisabledMessage } from "@aigw/core/services";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { flag } from "../../app/flag.ts";
import { awaitApplied, reportChange } from "../../app/gateways.ts";
import { serviceJson } from "../../json/service.ts";
import { existingName } from "./service-name.ts";

export interface DisableOptions {
  readonly name: string;
  readonly message: string;
  readonly wait: boolean;
}

export const command = (ctx: Context): Command =>
  describe(
    "disable",
    "Take a service out of use: new calls get 503 with your message, those under way end as they would.",
    [
      ["aigw service disable ocr --message 'Back at 14:00.'", "clients read it in the answer"],
      ["aigw service enable ocr", "in use again"],
    ],
  )
    .argument("[name]", "the service's name")
    .usage("<name> [options]")
    .option("--message <text>", "what clients are told", flag("--message", parseDisabledMessage), "")
    .option("--no-wait", "do not wait for the gateways")
    .action(async (given: string | undefined, { message, wait }: { message: string; wait: boolean }) => {
      await run({ name: await existingName(ctx, given, "disable"), message, wait }, ctx);
    });

export const run = ({ name, message, wait }: DisableOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const { result: service, rev, changed } = await setService(home, name, { disabled: message });
    await reportChange(ctx, {
      applied: await awaitApplied(home, rev, `${name} is out of use`, wait),
      sentence: changed ? `${name} is out of use: new calls get 503.` : `${name} is out of use already.`,
      quiet: name,
      json: { service: serviceJson(service), changed },
    });
  });
