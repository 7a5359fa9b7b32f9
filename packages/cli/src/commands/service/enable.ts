import { setService } from "@aigw/core/acts";
import { parseUpstreamUrl } from "@aigw/core/services";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { awaitApplied, reportChange } from "../../app/gateways.ts";
import { serviceJson } from "../../json/service.ts";
import { listed } from "../../terminal/output/words.ts";
import { existingName } from "./service-name.ts";

export interface EnableOptions {
  readonly name: string;
  /** Targets that were drained; none: the service itself. */
  readonly urls: readonly string[];
  readonly wait: boolean;
}

export const command = (ctx: Context): Command =>
  describe("enable", "Put a service that was disabled, or targets that were drained, into use again.", [
    ["aigw service enable ocr", "after: aigw service disable ocr"],
    ["aigw service enable ocr http://gpu1:9000", "after: aigw service drain ocr http://gpu1:9000"],
  ])
    .argument("[name]", "the service's name")
    .argument("[url...]", "targets that were drained")
    .usage("<name> [<url>…] [options]")
    .option("--no-wait", "do not wait for the gateways")
    .action(async (given: string | undefined, urls: readonly string[], { wait }: { wait: boolean }) => {
      await run({ name: await existingName(ctx, given, "enable"), urls: urls.map(parseUpstreamUrl), wait }, ctx);
    });

export const run = ({ name, urls, wait }: EnableOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const patch = urls.length === 0 ? { disabled: null } : { undrain: urls };
    const { result: service, rev, changed } = await setService(home, name, patch);
    const what = urls.length === 0 ? name : listed(urls);
    await reportChange(ctx, {
      applied: await awaitApplied(home, rev, `${what} ${urls.length > 1 ? "are" : "is"} in use`, wait),
      sentence: changed
        ? `${what} ${urls.length > 1 ? "take" : "takes"} calls again.`
        : `${what} ${urls.length > 1 ? "are" : "is"} in use already.`,
      quiet: name,
      json: { service: serviceJson(service), changed },
    });
  });
