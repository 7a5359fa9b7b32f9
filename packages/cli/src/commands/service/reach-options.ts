import type { ReachPatch } from "@aigw/core/acts";
import { parseTargetWeight, parseUpstreamUrl } from "@aigw/core/services";
import type { Command } from "commander";
import { collect } from "../../app/command.ts";
import { flag } from "../../app/flag.ts";

/** How a service is reached, as the flags of `add` and `set` say it. */
export interface ReachFlags {
  readonly weight?: NonNullable<ReachPatch["weights"]>;
}

/** Those of `set` alone. */
export interface TargetFlags {
  readonly addTarget?: readonly string[];
  readonly removeTarget?: readonly string[];
}

export const addReachOptions = (command: Command): Command =>
  command
    .optionsGroup("Its targets:")
    .option(
      "--weight <url=number>",
      "a target's part of the calls beside the others' (1), 1 to 100; repeatable",
      collect(flag("--weight", parseTargetWeight)),
    )
    .optionsGroup("Options:");

export const addTargetOptions = (command: Command): Command =>
  command
    .optionsGroup("Its targets:")
    .option(
      "--add-target <url>",
      "another place where it runs; repeatable",
      collect(flag("--add-target", parseUpstreamUrl)),
    )
    .option(
      "--remove-target <url>",
      "that one no more: its calls end as they began; repeatable",
      collect(flag("--remove-target", parseUpstreamUrl)),
    )
    .optionsGroup("Options:");

export const reachOf = (flags: ReachFlags): Partial<ReachPatch> => ({
  ...(flags.weight === undefined ? {} : { weights: flags.weight }),
});

export const targetsOf = (flags: TargetFlags): Partial<ReachPatch> => ({
  ...(flags.addTarget === undefined ? {} : { addTargets: flags.addTarget }),
  ...(flags.removeTarget === undefined ? {} : { removeTargets: flags.removeTarget }),
});
