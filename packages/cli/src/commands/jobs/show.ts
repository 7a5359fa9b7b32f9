import { hasEnded, type Job, keptUntil } from "@aigw/core/jobs";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { jobJson } from "../../json/job.ts";
import { need } from "../../terminal/ask.ts";
import { renderFields } from "../../terminal/output/fields.ts";
import { humanBytes } from "../../terminal/output/figures.ts";
import { when } from "../../terminal/output/time.ts";
import type { View } from "../../terminal/output/view.ts";
import { unknownJob } from "./job-words.ts";

export const command = (ctx: Context): Command =>
  describe("show", "Show one job: how it stands, never what was asked or answered.", [
    ["aigw jobs show j_0123456789abcdef0123456789abcdef01234567", "its times, its bytes, its call-back"],
    ["aigw jobs show j_0123456789abcdef0123456789abcdef01234567 --json", "the same, for a program"],
  ])
    .argument("[id]", "the job's id")
    .usage("<id>")
    .action(async (given: string | undefined) => {
      const id = await need(ctx, given, {
        argument: "<id>",
        usage: "aigw jobs show <id>",
        question: "Which job?",
        parse: (value) => value,
      });
      await run({ id }, ctx);
    });

export const run = ({ id }: { readonly id: string }, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async ({ store: { traffic } }) => {
    const found = await traffic.job(id);
    if (found === undefined) throw unknownJob(id);
    const { job } = found;
    await ctx.out.answer({
      json: () => ({ job: jobJson(job) }),
      quiet: () => job.state,
      text: (view) =>
        renderFields(view, [
          ["Job", job.id],
          ["State", job.state === "cancelled" ? `cancelled, by ${job.cancelledBy ?? "its client"}` : job.state],
          ["Client", job.clientName],
          ["Service", job.service],
          ["Call", `${job.method} ${job.path}`],
          ["Request id", job.requestId],
          ["Sent", when(view, job.at)],
          ["Begun", job.startedAt === undefined ? "" : when(view, job.startedAt)],
          ["Ended", job.endedAt === undefined ? "" : when(view, job.endedAt)],
          ["Kept until", hasEnded(job) ? when(view, keptUntil(job)) : ""],
          ["Attempts", String(job.attempts)],
          ["Request", humanBytes(job.requestBytes)],
          ["Answer", `${humanBytes(job.resultBytes)}${job.status === undefined ? "" : `, status ${job.status}`}`],
          ["On the disk", humanBytes(job.storedBytes)],
          ["Gateway", job.holder ?? ""],
          ["Machine", job.hostname],
          ["Call-back", callbackInWords(view, job)],
        ]),
    });
  });

const callbackInWords = (view: View, { callback }: Job): string => {
  if (callback === undefined) return "";
  const { origin, tries, dueAt, deliveredAt, problem } = callback;
  if (deliveredAt !== undefined) return `${origin}, taken ${when(view, deliveredAt)}`;
  if (tries === 0) return `${origin}, not tried yet`;
  const next = dueAt === undefined ? "given up" : `next ${when(view, dueAt)}`;
  return `${origin}, tried ${tries} times (${problem ?? "no answer"}), ${next}`;
};
