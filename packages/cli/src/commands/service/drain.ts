import { setService } from "@aigw/core/acts";
import { parseUpstreamUrl } from "@aigw/core/services";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { awaitApplied, reportChange } from "../../app/gateways.ts";
import { serviceJson } from "../../json/service.ts";
import { existingName } from "./service-name.ts";
import { existingTarget } from "./target-url.ts";

export interface DrainOptions {
  readonly name: string;
  readonly url: string;
  readonly wait: boolean;
}

export const command = (ctx: Context): Command =>
  describe("drain", "Send no new calls to one target. Calls under way, streams too, end as they would.", [
    ["aigw service drain ocr http://gpu1:9000", "to restart it, say"],
    ["aigw service show ocr", "how many calls it still has"],
    ["aigw service enable ocr http://gpu1:9000", "calls go to it again"],
  ])
    .argument("[name]", "the service's name")
    .argument("[url]", "the target, as aigw service show names it")
    .usage("<name> <url> [options]")
    .option("--no-wait", "do not wait for the gateways")
    .action(async (givenName: string | undefined, givenUrl: string | undefined, { wait }: { wait: boolean }) => {
      const name = await existingName(ctx, givenName, "drain");
      await run({ name, url: parseUpstreamUrl(await existingTarget(ctx, name, givenUrl)), wait }, ctx);
    });

export const run = ({ name, url, wait }: DrainOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const { result: service, rev, changed } = await setService(home, name, { drain: [url] });
    await reportChange(ctx, {
      applied: await awaitApplied(home, rev, `${url} is drained`, wait),
      sentence: changed ? `${url} gets no new calls of ${name}.` : `${url} is drained already.`,
      quiet: name,
      json: { service: serviceJson(service), changed },
    });
  });
