import type { Change, ControlStore, Effect } from "@aigw/core";
import { didYouMean } from "@aigw/core/acts";
import { ACTIONS } from "@aigw/core/changes";
import { SETTING_KEYS } from "@aigw/core/config";
import { AigwError } from "@aigw/core/errors";
import type { Command } from "commander";
import { choicesOption } from "../../app/choice-option.ts";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { flag } from "../../app/flag.ts";
import { parseCount, parseSince } from "../../app/parse-value.ts";
import { type Column, renderTable } from "../../terminal/output/table.ts";
import { rfc3339, when } from "../../terminal/output/time.ts";
import { listed } from "../../terminal/output/words.ts";
import { summaryOf } from "./summary.ts";

export interface ListOptions extends Filter {
  readonly lines: number;
}

/** Which lines; every given field must match. */
interface Filter {
  readonly subject?: string;
  /** Milliseconds since the epoch. */
  readonly since?: number;
  /** `ann@laptop`, or `ann` of whatever machine. */
  readonly actor?: string;
  /** Actions, or nouns that stand for all of theirs. */
  readonly action?: readonly string[];
}

/** `client` of `client.revoke`. */
const kindOf = (action: string): string => action.split(".", 1)[0] ?? "";

export const command = (ctx: Context): Command =>
  describe("list", "List the changes that admins made, newest first.", [
    ["aigw audit list", "the last 50"],
    ["aigw audit list --subject john -n 10", "the last ten that were about john"],
    ["aigw audit list --since 7d --action client.revoke,client.remove", "who lost access this week, and by whom"],
    ["aigw audit list --actor ann --action config", "which settings ann has changed"],
  ])
    .option(
      "-n, --lines <number>",
      "how many",
      flag("-n", (value) => parseCount("number", value, 1, 100_000)),
      50,
    )
    .optionsGroup("Which changes:")
    .option("--subject <name>", "a client, service, key or setting")
    .option(
      "--since <when>",
      "30m, 24h, 7d, a day (UTC) or a date-time with its zone",
      flag("--since", (value) => parseSince(value, ctx.clock.now())),
    )
    .option("--actor <who>", "who did it: user@host, or the user alone")
    .addOption(
      choicesOption("--action <actions>", "action", "such as client.revoke, or client for all of a client's", WHAT),
    )
    .action((options: ListOptions) => run(options, ctx));

const WHAT: readonly string[] = [...new Set(ACTIONS.map(kindOf)), ...ACTIONS];

export const run = ({ lines, ...filter }: ListOptions, ctx: Context): Promise<void> =>
  ctx.withControl(async (control) => {
    const lined = await newestLines(control, filter, lines);
    if (lined.length === 0) await assertKnown(control, filter);
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
      isLong: true,
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

/** How much of the log is read at once, where what is looked for may be anywhere. */
const PAGE = 1_000;

/** A change with several effects is a line for each: whoever looks for one subject finds it. */
const newestLines = async (control: ControlStore, filter: Filter, most: number): Promise<readonly Line[]> => {
  const { subject, ...further } = filter;
  const isPlain = Object.keys(further).length === 0;
  const found: Line[] = [];
  for await (const page of newestFirst(control, subject, isPlain ? most : PAGE)) {
    found.push(...page.flatMap(linesOf).filter((line) => matches(line, further)));
    if (found.length >= most || (further.since !== undefined && isBefore(page, further.since))) break;
  }
  return found.slice(0, most);
};

/** More than one subject has in its life. */
const ALL = 100_000;

/** Everything there is, page by page, or all that was ever done to one subject at once. */
const newestFirst = async function* (
  control: ControlStore,
  subject: string | undefined,
  size: number,
): AsyncGenerator<readonly Change[]> {
  if (subject !== undefined) {
    yield await control.latestChanges({ subject, limit: ALL });
    return;
  }
  for (let end = await control.head(); end > 0; end -= size) {
    const start = Math.max(0, end - size);
    yield (await control.changesAfter(start, end - start)).toReversed();
  }
};

/** The log is in the order of revisions; a clock that was set leaves single changes out of time. */
const isBefore = (page: readonly Change[], since: number): boolean => page.every(({ at }) => at < since);

const matches = ({ at, actor, effect }: Line, filter: Filter): boolean =>
  (filter.since === undefined || at >= filter.since) &&
  (filter.actor === undefined || actor === filter.actor || actor.split(/[@ ]/, 1)[0] === filter.actor) &&
  (filter.action === undefined ||
    filter.action.includes(effect.action) ||
    filter.action.includes(kindOf(effect.action)));

/** Nothing of nobody is not the same as nothing of somebody. @throws AigwError `not_found` */
const assertKnown = async (control: ControlStore, { subject, actor }: Filter): Promise<void> => {
  if (subject !== undefined) await assertSubject(control, subject);
  if (actor === undefined || (await newestLines(control, { actor }, 1)).length > 0) return;
  const actors = new Set<string>();
  for await (const page of newestFirst(control, undefined, PAGE)) for (const change of page) actors.add(change.actor);
  const known = [...actors];
  const users = known.map((one) => one.split(/[@ ]/, 1)[0] ?? one);
  throw new AigwError(
    "not_found",
    `No change is by '${actor}'.${didYouMean(actor, [...new Set([...users, ...known])])} Changes are by: ${listed(known)}.`,
    { details: { actor } },
  );
};

/** @throws AigwError `not_found` for what there is not, and no change was ever about */
const assertSubject = async (control: ControlStore, subject: string): Promise<void> => {
  if ((await control.latestChanges({ subject, limit: 1 })).length > 0) return;
  const named = [...(await control.clients()), ...(await control.services()), ...(await control.plans())].map(
    ({ name }) => name,
  );
  const known = [...named, ...(await control.keyring()).map(({ kid }) => kid), ...SETTING_KEYS];
  if (known.includes(subject)) return;
  throw new AigwError(
    "not_found",
    `No change is about '${subject}', and nothing is called so.${didYouMean(subject, known)}`,
    { details: { subject } },
  );
};

const COLUMNS: readonly Column[] = [
  { title: "Rev", align: "right" },
  { title: "When" },
  { title: "Action" },
  { title: "Subject", key: true },
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
  const isAlike = (one: Effect, other: Effect): boolean => kindOf(one.action) === kindOf(other.action);
  return ({ rev, effect }) =>
    histories.get(effect.subject)?.find((other) => other.rev < rev && isAlike(other.effect, effect))?.effect;
};
