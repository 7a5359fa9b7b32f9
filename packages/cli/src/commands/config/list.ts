import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { type Cell, type Column, renderTable } from "../../terminal/output/table.ts";
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
          COLUMNS,
          settings.map((setting) => [setting.key, valueCell(setting), setting.source, setting.env, setting.about]),
        ),
    });
  });

const isSet = ({ source }: ShownSetting): boolean => source !== "default";

/** What nobody has chosen stands back. */
const valueCell = (setting: ShownSetting): Cell =>
  isSet(setting) ? inWords(setting) : { text: inWords(setting), tone: "dim" };

const COLUMNS: readonly Column[] = [
  { title: "Setting" },
  { title: "Value" },
  { title: "From" },
  { title: "Variable" },
  { title: "What for" },
];
