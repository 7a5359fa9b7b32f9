import { type AddServiceInput, addService } from "@aigw/core/acts";
import { parseServiceName, parseUpstreamUrl, targetsOf } from "@aigw/core/services";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { awaitApplied, reportChange } from "../../app/gateways.ts";
import { serviceJson } from "../../json/service.ts";
import { need } from "../../terminal/ask.ts";
import { listed } from "../../terminal/output/words.ts";
import { addNoVia, addReachOptions, type ReachFlags, reachOf } from "./reach-options.ts";
import { addFactOptions, factsOf, type ServiceFactOptions } from "./service-options.ts";
import { warnIfDown } from "./warn-if-down.ts";
import { warnOfQueue } from "./warn-of-queue.ts";

export interface AddOptions {
  readonly input: AddServiceInput;
  readonly wait: boolean;
  /** Look at the upstream when it is added. */
  readonly check: boolean;
}

const USAGE = "aigw service add <name> <url>";

export const command = (ctx: Context): Command =>
  addNoVia(addReachOptions(declared(ctx), ctx))
    .argument("[name]", "the service's name: a-z 0-9 -")
    .argument("[url...]", "where it runs: http://, https:// or unix:/; one or several")
    .usage("<name> <url>… [options]")
    .option("--no-wait", "do not wait for the gateways")
    .option("--no-check", "do not look whether the upstream answers")
    .action(
      async (
        givenName: string | undefined,
        givenUrls: readonly string[],
        flags: ServiceFactOptions & ReachFlags & Pick<AddOptions, "wait" | "check">,
      ) => {
        const name = await need(ctx, givenName, {
          argument: "<name>",
          usage: USAGE,
          question: "Name of the new service",
          parse: parseServiceName,
        });
        const [givenUrl, ...more] = givenUrls;
        const url = await need(ctx, givenUrl, {
          argument: "<url>",
          usage: USAGE,
          question: `URL of ${name}'s upstream`,
          parse: parseUpstreamUrl,
        });
        const input = { name, url, addTargets: more.map(parseUpstreamUrl), ...factsOf(flags), ...reachOf(flags) };
        await run({ input, wait: flags.wait, check: flags.check }, ctx);
      },
    );

const declared = (ctx: Context): Command =>
  addFactOptions(
    describe("add", "Put a service behind the gateway. Clients reach it under /api/<name>.", [
      ["aigw service add ocr http://127.0.0.1:9000", "/api/ocr/scan goes to http://127.0.0.1:9000/scan"],
      [
        "aigw service add chat https://llm.internal/v1 --header-env 'Authorization=LLM_AUTH' --timeout 5m",
        "with the upstream's own key, which clients never see",
      ],
      ["aigw service add ocr http://gpu1:9000 http://gpu2:9000", "on two machines: calls go to the one that is freer"],
      ["aigw service add ocr unix:/run/ocr.sock", "behind a socket of this machine"],
      ["aigw service add tts http://10.0.0.7:9000 --no-check", "its machine is not there yet, and that is known"],
      ["aigw service add ocr http://127.0.0.1:9000 --meter json:pages=/pages", "count the pages that its answers name"],
      [
        "aigw service add ocr http://127.0.0.1:9000 --description 'Reads the text in a picture' --example ocr.sh",
        "with what the clients' guide says of it",
      ],
    ]),
    ctx,
  );

export const run = async ({ input, wait, check }: AddOptions, ctx: Context): Promise<void> => {
  const added = await ctx.withHome("initialise", async (home) => {
    const { result: service, rev, changed } = await addService(home, input);
    await reportChange(ctx, {
      applied: await awaitApplied(home, rev, `${service.name} is added`, wait),
      sentence: `${service.name} added: /api/${service.name} goes to ${listed(targetsOf(service).map((target) => target.url))}.`,
      quiet: service.name,
      json: { service: serviceJson(service), changed },
    });
    if (service.fallback !== undefined) await warnOfQueue(ctx, [service], await home.store.control.services());
    return { service, sealer: home.sealer };
  });
  if (check) await warnIfDown(ctx, added.service, added.sealer);
};
