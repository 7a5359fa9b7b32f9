import type { Service } from "@aigw/core";
import { type ServicePatch, setService } from "@aigw/core/acts";
import { parseUpstreamUrl } from "@aigw/core/services";
import type { Command } from "commander";
import { UsageError } from "../../app/cli-error.ts";
import { collect, describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { flag } from "../../app/flag.ts";
import { awaitApplied, reportChange } from "../../app/gateways.ts";
import { serviceJson } from "../../json/service.ts";
import {
  addReachOptions,
  addTargetOptions,
  type ReachFlags,
  reachOf,
  type TargetFlags,
  targetPatchOf,
} from "./reach-options.ts";
import { existingName } from "./service-name.ts";
import { addFactOptions, factsOf, JOBS, type ServiceFactOptions } from "./service-options.ts";
import { warnIfDown } from "./warn-if-down.ts";
import { warnOfQueue } from "./warn-of-queue.ts";

export interface SetOptions {
  readonly name: string;
  readonly patch: ServicePatch;
  readonly wait: boolean;
  /** Look at the upstream when its URL is changed. */
  readonly check: boolean;
}

interface Flags extends ServiceFactOptions, ReachFlags, TargetFlags {
  readonly url?: string;
  readonly removeHeader?: readonly string[];
  readonly wait: boolean;
  readonly check: boolean;
}

export const command = (ctx: Context): Command =>
  addTargetOptions(addReachOptions(declared(ctx), ctx))
    .argument("[name]", "the service's name")
    .usage("<name> [options]")
    .optionsGroup("The upstream:")
    .option(
      "--remove-header <header>",
      "take a header away; repeatable",
      collect((value) => value),
    )
    .optionsGroup("What its calls are worth:")
    .option("--no-ask-usage", "leave streams as the client asks for them")
    .optionsGroup(JOBS)
    .option("--no-jobs", "let calls become jobs no more: those that there are go on")
    .option("--no-jobs-retry", "such a job ends as interrupted")
    .optionsGroup("What clients see of it:")
    .option("--no-cors-origins", "back to the setting cors-origins")
    .option("--no-description", "tell clients nothing of the kind")
    .option("--no-example", "show no example")
    .option("--no-docs", "name no documentation of its own")
    .optionsGroup("Options:")
    .option("--no-wait", "do not wait for the gateways")
    .option("--no-check", "do not look whether the upstream at a new URL answers")
    .action(async (given: string | undefined, flags: Flags) => {
      const patch = patchOf(flags);
      const name = await existingName(ctx, given, "set");
      if (Object.keys(patch).length === 0) {
        throw new UsageError("There is nothing to change. Give an option such as --url; see: aigw service set --help");
      }
      await run({ name, patch, wait: flags.wait, check: flags.check }, ctx);
    });

const declared = (ctx: Context): Command =>
  addFactOptions(
    describe("set", "Change a service. Calls under way end as they began.", [
      ["aigw service set ocr --url http://127.0.0.1:9001", "another upstream"],
      [
        "aigw service set ocr --add-target http://gpu2:9000 --weight http://gpu2:9000=2",
        "a second place for two thirds of the calls",
      ],
      ["aigw service set ocr --concurrency 2 --queue 100", "two calls at once, and the others wait in turn"],
      ["aigw service set chat --header-env 'Authorization=LLM_AUTH'", "a new key for the upstream"],
      ["aigw service set chat --remove-header X-Api-Key --timeout 2m", "without that header"],
      ["aigw service set chat --meter openai --ask-usage", "count tokens, also of streams"],
      ["aigw service set whisper --jobs --keep 24h --timeout 3h", "calls that outlive their connection"],
      ["aigw service set chat --cors-origins https://app.example.com", "web pages there may call it from a browser"],
    ])

      .optionsGroup("The upstream:")
      .option("--url <url>", "the upstream: http://, https:// or unix:/", flag("--url", parseUpstreamUrl)),
    ctx,
  );

const patchOf = (flags: Flags): ServicePatch => ({
  ...factsOf(flags),
  ...reachOf(flags),
  ...targetPatchOf(flags),
  ...(flags.url === undefined ? {} : { url: flags.url }),
  ...(flags.removeHeader === undefined ? {} : { removeHeaders: flags.removeHeader }),
  ...(flags.corsOrigins === false ? { corsOrigins: null } : {}),
  ...(flags.description === false ? { description: null } : {}),
  ...(flags.example === false ? { example: null } : {}),
  ...(flags.docs === false ? { docsUrl: null } : {}),
});

export const run = async ({ name, patch, wait, check }: SetOptions, ctx: Context): Promise<void> => {
  const set = await ctx.withHome("existing", async (home) => {
    const { result: service, rev, changed } = await setService(home, name, patch);
    await reportChange(ctx, {
      applied: await awaitApplied(home, rev, `${name} is changed`, wait),
      sentence: changed ? `${name} changed.` : `${name} is like that already.`,
      quiet: name,
      json: { service: serviceJson(service), changed },
    });
    if (patch.fallback || patch.queue) {
      const all = await home.store.control.services();
      const isNew = (one: Service): boolean =>
        one.name === name ? Boolean(patch.fallback) : one.fallback === name && Boolean(patch.queue);
      await warnOfQueue(ctx, all.filter(isNew), all);
    }
    return { service, sealer: home.sealer };
  });
  if (check && (patch.url ?? patch.addTargets) !== undefined) await warnIfDown(ctx, set.service, set.sealer);
};
