import type { Sealer, Service } from "@aigw/core";
import type { Context } from "../../app/context.ts";
import { lookAtService } from "../../doctor/checks/services.ts";
import { levelOf } from "../../doctor/finding.ts";

/**
 * Looks at the upstream once, for 3 s at most, and warns where it does not answer: it may well be started later. Called
 * when the change is done and reported, so that whoever does not wait for it misses nothing else.
 */
export const warnIfDown = async (ctx: Context, service: Service, sealer: Sealer): Promise<void> => {
  for (const finding of await lookAtService(service, sealer)) {
    if (levelOf(finding) === "ok") continue;
    await ctx.out.warn(`${finding.message} ${service.name} is in place all the same. What to do: ${finding.command}`);
  }
};
