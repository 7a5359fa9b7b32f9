import { findClient, findService } from "@aigw/core/acts";
import { JOB_STATES, type Job, type JobState } from "@aigw/core/jobs";
import type { Command } from "commander";
import { choiceOption } from "../../app/choice-option.ts";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { flag } from "../../app/flag.ts";
import { parseCount } from "../../app/parse-value.ts";
import { jobJson } from "../../json/job.ts";
import { humanBytes } from "../../terminal/output/figures.ts";
import { type Cell, type Column, renderTable } from "../../terminal/output/table.ts";
import { when } from "../../terminal/output/time.ts";
import type { View } from "../../terminal/output/view.ts";
import { stateCell } from "./job-words.ts";

export interface ListOptions {
  readonly client?: string;
  readonly service?: string;
  readonly state?: JobState;
  readonly limit: number;
}

const MOST = 10_000;

export const command = (ctx: Context): Command =>
  describe("list", "List jobs, the newest first.", [
    ["aigw jobs list", "the newest 50"],
    ["aigw jobs list --client john --state queued", "what of john's waits"],
    ["aigw jobs list --state failed --json | jq -r '.jobs[].requestId'", "for aigw why"],
  ])
    .option("--client <name>", "those of this client")
    .option("--service <name>", "those of this service")
    .addOption(choiceOption("--state <state>", "state", "those that are so", JOB_STATES))
    .option(
      "-n, --limit <number>",
      "how many at most",
      flag("--limit", (value) => parseCount("number", value, 1, MOST)),
      50,
    )
    .action((options: ListOptions) => run(options, ctx));

export const run = ({ client, service, state, limit }: ListOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async ({ store: { control, traffic } }) => {
    const owner = client === undefined ? undefined : await findClient(control, client);
    if (service !== undefined) await findService(control, service);
    const found = await traffic.jobs(
      {
        ...(owner && { client: owner.id }),
        ...(service !== undefined && { service }),
        ...(state !== undefined && { state }),
      },
      { limit },
    );
    const jobs = found.map(({ job }) => job);
    await ctx.out.answer({
      json: () => ({ jobs: jobs.map(jobJson) }),
      quiet: () => jobs.map(({ id }) => id),
      text: (view) =>
        jobs.length === 0
          ? ""
          : renderTable(
              view,
              COLUMNS,
              jobs.map((job) => row(view, job)),
            ),
    });
    if (jobs.length === 0) await ctx.out.note("There is no such job.");
    else if (jobs.length === limit) await ctx.out.note(`There may be more: --limit ${Math.min(MOST, limit * 10)}`);
  });

const COLUMNS: readonly Column[] = [
  { title: "Job", key: true },
  { title: "State" },
  { title: "Client" },
  { title: "Service" },
  { title: "Status", align: "right" },
  { title: "Sent" },
  { title: "Request", align: "right" },
  { title: "Answer", align: "right" },
];

const row = (view: View, job: Job): readonly Cell[] => [
  job.id,
  stateCell(job),
  job.clientName,
  job.service,
  job.status === undefined ? "" : String(job.status),
  when(view, job.at),
  humanBytes(job.requestBytes),
  humanBytes(job.resultBytes),
];
