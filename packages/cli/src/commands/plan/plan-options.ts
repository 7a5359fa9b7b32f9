import type { PlanPatch } from "@aigw/core/acts";
import { parseWeight } from "@aigw/core/plans";
import type { Command } from "commander";
import { cleared, limitOption, parseServices, quotaOption, type ServiceChoice } from "../../app/client-options.ts";
import { flag } from "../../app/flag.ts";

/** What `--no-…` of `set` takes away again is false. */
export interface PlanFlags {
  readonly services?: ServiceChoice;
  readonly limit?: number | false;
  readonly quota?: string | false;
  readonly weight?: number | false;
}

export const addFactOptions = (command: Command): Command =>
  command
    .optionsGroup("What it says:")
    .addOption(limitOption())
    .option(
      "--services <names>",
      "services its clients may call, such as ocr,chat, or: all",
      flag("--services", parseServices),
    )
    .addOption(quotaOption())
    .option("--weight <number>", "their share where calls wait for a service, 1 to 100", flag("--weight", parseWeight))
    .optionsGroup("Options:");

export const patchOf = ({ services, limit, quota, weight }: PlanFlags): PlanPatch => ({
  ...(services === undefined ? {} : { services: services.names ?? null }),
  ...(limit === undefined ? {} : { limit: cleared(limit) }),
  ...(quota === undefined ? {} : { quota: cleared(quota) }),
  ...(weight === undefined ? {} : { weight: cleared(weight) }),
});
