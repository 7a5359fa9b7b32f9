import type { Change, ControlStore } from "@aigw/core";
import { didYouMean } from "@aigw/core/acts";
import { SETTING_KEYS } from "@aigw/core/config";
import { AigwError } from "@aigw/core/errors";
import type { Command } from "commander";
import { describe } from "../../command.ts";
import type { Context } from "../../context.ts";
import { flag } from "../../flag.ts";
import { type Column, renderTable } from "../../output/table.ts";
import { rfc3339, when } from "../../output/time.ts";
import { parseCount } from "../../parse-value.ts";
import { summaryOf } from "./summary.ts";

export interface ListOptions {
  readonly lines: number;
  readonly subject?: string;
}

export const command = (ctx: Context): Command =>
  describe("list", "List the changes that admins made, newest first.", [
    ["aigw audit list", "the last 50"],
    ["aigw audit list --subject john -n 10", "the last ten that were about john"],
    ["aigw audit list -n 1000 --json | jq '.changes[] | select(.action == \"client.revoke\")'", "revocations"],
  ])
    .option(
      "-n, --lines <number>",
      "how many",
      flag("-n", (value) => parseCount("number", value, 1, 100_000)),
      50,
    )
    .option("--subject <name>", "a client, service, key or setting")
    .action((options: ListOptions) => run(options, ctx));

export const run = ({ lines, subject }: ListOptions, ctx: Context): Promise<void> =>
  ctx.withControl(async (control) => {
    const changes = await control.latestChanges({ limit: lines, ...(subject === undefined ? {} : { subject }) });
    if (changes.length === 0 && subject !== undefined) await assertSubject(control, subject);
    const before = await predecessors(control, changes);
    const entries = changes.map((change) => ({
      rev: change.rev,
      at: change.at,
      actor: change.actor,
      action: change.action,
      subject: change.subject,
      summary: summaryOf(change, before(change)),
    }));
    await ctx.out.answer({
      json: () => ({ changes: entries.map((entry) => ({ ...entry, at: rfc3339(entry.at) })) }),
      quiet: () => entries.map((entry) => String(entry.rev)),
      text: (view) =>
        entries.length === 0
          ? ""
          : renderTable(
              view,
              COLUMNS,
              entries.map(({ rev, at, actor, action, subject: about, summary }) => [
                String(rev),
                when(view, at),
                action,
                about,
                summary,
                actor,
              ]),
            ),
    });
    if (entries.length === 0) await ctx.out.note("No change matches.");
  });

/** @throws AigwError `not_found` for what there is not, and no change was ever about */
const assertSubject = async (control: ControlStore, subject: string): Promise<void> => {
  const named = [...(await control.clients()), ...(await control.services())].map(({ name }) => name);
  const known = [...named, ...(await control.keyring()).map(({ kid }) => kid), ...SETTING_KEYS];
  if (known.includes(subject)) return;
  throw new AigwError(
    "not_found",
    `No change is about '${subject}', and nothing is called so.${didYouMean(subject, known)}`,
    {
      details: { subject },
    },
  );
};

const COLUMNS: readonly Column[] = [
  { title: "Rev", align: "right" },
  { title: "When" },
  { title: "Action" },
  { title: "Subject" },
  { title: "What" },
  { title: "Who" },
];

/** How far back a `set` looks for what it changed. */
const HISTORY = 1_000;

/** What each change's subject was before it, read once for every subject that somebody changed in part. */
const predecessors = async (
  control: ControlStore,
  changes: readonly Change[],
): Promise<(change: Change) => Change | undefined> => {
  const histories = new Map<string, readonly Change[]>();
  for (const { action, subject } of changes) {
    if (!action.endsWith(".set") || histories.has(subject)) continue;
    histories.set(subject, await control.latestChanges({ subject, limit: HISTORY }));
  }
  const kindOf = (change: Change): string => change.action.split(".", 1)[0] ?? "";
  return (change) =>
    histories.get(change.subject)?.find((other) => other.rev < change.rev && kindOf(other) === kindOf(change));
};
