import { findClient } from "@aigw/core/acts";
import { cancelJob, hasEnded, type Job, type VersionedJob } from "@aigw/core/jobs";
import type { TrafficStore } from "@aigw/core/store";
import type { Command } from "commander";
import { UsageError } from "../../app/cli-error.ts";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { jobJson } from "../../json/job.ts";
import { confirmed } from "../../terminal/ask.ts";
import { counted } from "../../terminal/output/words.ts";
import { prose } from "../../terminal/output/wrap.ts";
import { unknownJob } from "./job-words.ts";

export interface CancelOptions {
  readonly ids: readonly string[];
  /** All of this client's that have not ended. */
  readonly client?: string;
}

const PAGE = 500;

export const command = (ctx: Context): Command =>
  describe("cancel", "End jobs that wait or run: the service is let go within a second, and nothing is kept.", [
    ["aigw jobs cancel j_0123456789abcdef0123456789abcdef01234567", "asks first"],
    ["aigw jobs cancel --client john --yes", "all of john's that have not ended"],
  ])
    .argument("[id...]", "the jobs' ids")
    .usage("<id>… | --client <name>")
    .option("--client <name>", "all of this client's that have not ended")
    .action(async (ids: readonly string[], { client }: { readonly client?: string }) => {
      if ((ids.length === 0) === (client === undefined)) {
        throw new UsageError("Say which: aigw jobs cancel <id>…, or all of a client's with --client <name>.");
      }
      await run({ ids, ...(client !== undefined && { client }) }, ctx);
    });

export const run = ({ ids, client }: CancelOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async ({ store: { control, traffic }, actor }) => {
    const found =
      client === undefined ? await named(traffic, ids) : await openOf(traffic, (await findClient(control, client)).id);
    const open = found.filter(({ job }) => !hasEnded(job));
    if (open.length > 0) {
      const what = open.length === 1 ? `Job ${open[0]?.job.id}` : counted(open.length, "job");
      await confirmed(ctx, `${what} will be ended, and nothing of it kept.`, `Cancel ${counted(open.length, "job")}?`);
    }
    const cancelled: Job[] = [];
    for (const { job } of open) {
      const after = await cancelJob(traffic, job.id, () => traffic.steadyNow(), actor);
      if (after !== undefined) cancelled.push(after.job);
    }
    const left = found.length - cancelled.length;
    await ctx.out.answer({
      json: () => ({ cancelled: cancelled.map(jobJson), ended: left }),
      quiet: () => cancelled.map(({ id }) => id),
      text: (view) =>
        prose(
          view,
          [
            ...(cancelled.length > 0 || left === 0 ? [`${counted(cancelled.length, "job")} cancelled.`] : []),
            ...(left > 0 ? [`${counted(left, "job")} had ended already; nothing to do.`] : []),
          ].join(" "),
        ),
    });
  });

/** @throws AigwError `not_found` naming the first that there is not: nothing was changed then */
const named = async (traffic: TrafficStore, ids: readonly string[]): Promise<readonly VersionedJob[]> => {
  const found: VersionedJob[] = [];
  for (const id of new Set(ids)) {
    const one = await traffic.job(id);
    if (one === undefined) throw unknownJob(id);
    found.push(one);
  }
  return found;
};

const openOf = async (traffic: TrafficStore, client: string): Promise<readonly VersionedJob[]> => {
  const found: VersionedJob[] = [];
  for (const state of ["queued", "running"] as const) {
    for (let after: Job | undefined; ; ) {
      const page = await traffic.jobs({ client, state }, { limit: PAGE, after });
      found.push(...page);
      after = page.at(-1)?.job;
      if (page.length < PAGE) break;
    }
  }
  return found;
};
