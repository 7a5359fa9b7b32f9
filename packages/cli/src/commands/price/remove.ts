import { removePrices } from "@aigw/core/acts";
import { parseModelPattern } from "@aigw/core/meters";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { flag } from "../../app/flag.ts";
import { awaitApplied, reportChange } from "../../app/gateways.ts";
import { serviceJson } from "../../json/service.ts";
import { confirmed } from "../../terminal/ask.ts";
import { listed } from "../../terminal/output/words.ts";
import { serviceNeeded } from "./price-service.ts";

export interface RemoveOptions {
  readonly service: string;
  /** None: all of them. */
  readonly units: readonly string[];
  readonly model: string | undefined;
  readonly wait: boolean;
}

const USAGE = "aigw price remove <service> [<unit>…]";

export const command = (ctx: Context): Command =>
  describe("remove", "Take prices of a service away. What was recorded keeps its cost.", [
    ["aigw price remove ocr", "its prices for every model; asks first"],
    ["aigw price remove chat cached_tokens", "one unit"],
    ["aigw price remove chat --model 'llama*' --yes", "those for these models, in a script"],
  ])
    .argument("[service]", "the service's name")
    .argument("[units...]", "the units; none: all of them")
    .usage("<service> [<unit>…] [options]")
    .option("--model <pattern>", "those that were set for this pattern", flag("--model", parseModelPattern))
    .option("--no-wait", "do not wait for the gateways")
    .action(async (given: string | undefined, units: readonly string[], flags: { model?: string; wait: boolean }) => {
      const service = await serviceNeeded(ctx, given, USAGE);
      await run({ service, units, model: flags.model, wait: flags.wait }, ctx);
    });

export const run = ({ service: name, units, model, wait }: RemoveOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const what = units.length === 0 ? "every unit" : listed(units);
    const whose = model === undefined ? name : `${name} for '${model}'`;
    await confirmed(
      ctx,
      `Calls of ${whose} will cost nothing for ${what} from now on; what was recorded keeps its cost.`,
      `Remove the price of ${what} of ${whose}?`,
    );
    const { result: service, rev, changed } = await removePrices(home, name, units, model);
    await reportChange(ctx, {
      applied: await awaitApplied(home, rev, `the prices of ${name} are changed`, wait),
      sentence: `${whose} has no price for ${what} any more.`,
      quiet: name,
      json: { service: serviceJson(service), changed },
    });
  });
