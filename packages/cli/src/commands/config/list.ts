import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { type Cell, type Column, renderTable } from "../../terminal/output/table.ts";
import type { View } from "../../terminal/output/view.ts";
import { inWords, type ShownSetting, shownSettings } from "./shown-setting.ts";

export const command = (ctx: Context): Command =>
  describe("list", "List every setting, the value in force, and where that is from.", [
    ["aigw config list", "a table"],
    ["aigw config list --json | jq -r '.settings[] | select(.source == \"stored\") | .key'", "what has been set"],
  ]).action(() => run(ctx));

export const run = (ctx: Context): Promise<void> =>
  ctx.withControl(async (control) => {
    const settings = shownSettings(ctx, await control.settings());
    await ctx.out.answer({
      json: () => ({ settings }),
      quiet: () =>
        settings.map((setting) => `${setting.key}=${setting.value ?? (isSet(setting) ? inWords(setting) : "")}`),
      text: (view) =>
        renderTable(
          view,
          COLUMNS.slice(0, shownColumns(view)),
          settings.map((setting) => [setting.key, valueCell(setting), setting.source, setting.env, setting.about]),
        ),
    });
    if (ctx.io.stdout.isTTY === true && shownColumns(await ctx.out.view()) < COLUMNS.length)
      await ctx.out.note("What each is for, and its variable: aigw help environment");
  });

/** A sentence in a column of twelve is not read: what it is for leaves before, and so does what can be looked up. */
const shownColumns = ({ isTerminal, width }: View): number => {
  if (!isTerminal || width >= 130) return COLUMNS.length;
  return COLUMNS.length - (width >= 90 ? 1 : 2);
};

const isSet = ({ source }: ShownSetting): boolean => source !== "default";

/** What nobody has chosen stands back. */
const valueCell = (setting: ShownSetting): Cell =>
  isSet(setting) ? inWords(setting) : { text: inWords(setting), tone: "dim" };

const COLUMNS: readonly Column[] = [
  { title: "Setting" },
  { title: "Value", key: true },
  { title: "From" },
  { title: "Variable" },
  { title: "What for" },
];
