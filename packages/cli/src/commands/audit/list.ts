import type { Change, ControlStore, Effect } from "@aigw/core";
import { didYouMean } from "@aigw/core/acts";
import { SETTING_KEYS } from "@aigw/core/config";
import { AigwError } from "@aigw/core/errors";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { flag } from "../../app/flag.ts";
import { parseCount } from "../../app/parse-value.ts";
import { type Column, renderTable } from "../../terminal/output/table.ts";
import { rfc3339, when } from "../../terminal/output/time.ts";
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
    // A change with several effects is a line for each: whoever looks for one subject finds it.
    const lined = changes.flatMap(linesOf).slice(0, lines);
    const before = await predecessors(control, lined);
    const entries = lined.map((line) => ({
      rev: line.rev,
      at: line.at,
      actor: line.actor,
      action: line.effect.action,
      subject: line.effect.subject,
      summary: summaryOf(line.effect, before(line)),
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

interface Line extends Omit<Change, "effects"> {
  readonly effect: Effect;
}

const linesOf = ({ effects, ...change }: Change): readonly Line[] => effects.map((effect) => ({ ...change, effect }));

/** How far back a `set` looks for what it changed. */
const HISTORY = 1_000;

/** What each line's subject was before it, read once for every subject that somebody changed in part. */
const predecessors = async (
  control: ControlStore,
  lines: readonly Line[],
): Promise<(line: Line) => Effect | undefined> => {
  const histories = new Map<string, readonly Line[]>();
  for (const { action, subject } of lines.map(({ effect }) => effect)) {
    if (!action.endsWith(".set") || histories.has(subject)) continue;
    histories.set(subject, (await control.latestChanges({ subject, limit: HISTORY })).flatMap(linesOf));
  }
  const kindOf = ({ action }: Effect): string => action.split(".", 1)[0] ?? "";
  return ({ rev, effect }) =>
    histories.get(effect.subject)?.find((other) => other.rev < rev && kindOf(other.effect) === kindOf(effect))?.effect;
};
