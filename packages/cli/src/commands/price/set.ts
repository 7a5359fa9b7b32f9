import type { Service } from "@aigw/core";
import { setPrices } from "@aigw/core/acts";
import { BUILT_IN_UNITS, parseMeters, parseModelPattern, parsePrice, priceInWords, unitsOf } from "@aigw/core/meters";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { flag } from "../../app/flag.ts";
import { awaitApplied, reportChange } from "../../app/gateways.ts";
import { serviceJson } from "../../json/service.ts";
import { need } from "../../terminal/ask.ts";
import { listed } from "../../terminal/output/words.ts";
import { serviceNeeded } from "./price-service.ts";

export interface SetOptions {
  readonly service: string;
  readonly prices: readonly string[];
  readonly model: string | undefined;
  readonly wait: boolean;
}

const USAGE = "aigw price set <service> <unit=price>…";

export const command = (ctx: Context): Command =>
  describe("set", "Set what units of a service cost from now on. Other units and models keep their prices.", [
    ["aigw price set ocr pages=0.01", "each page"],
    ["aigw price set chat input_tokens=0.15/1M output_tokens=0.60/1M", "for a million tokens"],
    ["aigw price set chat output_tokens=2.50/1M --model 'llama*'", "for these models; the most specific pattern wins"],
    ["aigw price set whisper seconds=0.006/60 requests=0.001", "a minute, and each call beside it"],
  ])
    .argument("[service]", "the service's name")
    .argument("[prices...]", "a unit and its price, alone or for a number: pages=0.01, input_tokens=0.15/1M")
    .usage("<service> <unit=price>… [options]")
    .option("--model <pattern>", "for models of this name alone; * is anything", flag("--model", parseModelPattern))
    .option("--no-wait", "do not wait for the gateways")
    .action(async (given: string | undefined, prices: readonly string[], flags: { model?: string; wait: boolean }) => {
      const service = await serviceNeeded(ctx, given, USAGE);
      const first = await need(ctx, prices[0], {
        argument: "<unit=price>",
        usage: USAGE,
        question: `What does ${service} cost, such as pages=0.01?`,
        parse: (value) => priceInWords(parsePrice(value)),
      });
      const wanted = [first, ...prices.slice(1).map((value) => priceInWords(parsePrice(value)))];
      await run({ service, prices: wanted, model: flags.model, wait: flags.wait }, ctx);
    });

export const run = ({ service: name, prices, model, wait }: SetOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const { result: service, rev, changed } = await setPrices(home, name, prices, model);
    await reportChange(ctx, {
      applied: await awaitApplied(home, rev, `the prices of ${name} are changed`, wait),
      sentence: changed ? `${name} costs ${prices.join(", ")} from now on.` : `${name} costs that already.`,
      quiet: name,
      json: { service: serviceJson(service), changed },
    });
    await warnOfUnread(
      ctx,
      service,
      prices.map((price) => parsePrice(price).unit),
    );
  });

/** A price for what no meter reads is a slip, or comes before its meter. */
const warnOfUnread = async (ctx: Context, service: Service, units: readonly string[]): Promise<void> => {
  const read = unitsOf(parseMeters(service.meter ?? "none"));
  const unread = units.filter((unit) => !read.includes(unit) && !BUILT_IN_UNITS.includes(unit));
  if (unread.length === 0) return;
  const what = read.length === 0 ? "it has no meter" : `its meter reads ${listed(read)}`;
  await ctx.out.warn(
    `Nothing reads ${listed(unread)} of ${service.name}: ${what}. Set one: aigw service set ${service.name} --meter <meter>`,
  );
};
