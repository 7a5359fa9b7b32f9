import { SETTING_KEYS, SETTINGS, type SettingSource } from "@aigw/core/config";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { settingsInForce } from "../../app/settings.ts";
import { type Column, renderTable } from "../../terminal/output/table.ts";

export const command = (ctx: Context): Command =>
  describe("list", "List every setting, its value, and where that is from.", [
    ["aigw config list", "a table"],
    ["aigw config list --json | jq -r '.settings[] | select(.key == \"public-url\") | .value'", "one value"],
  ]).action(() => run(ctx));

export const run = (ctx: Context): Promise<void> =>
  ctx.withControl(async (control) => {
    const inForce = settingsInForce(ctx, await control.settings());
    const settings = SETTING_KEYS.map((key) => ({
      key,
      // Not even the sealed form of a secret is shown; that there is one, `source` says.
      value: SETTINGS[key].secret === true ? null : (inForce[key].value ?? null),
      secret: SETTINGS[key].secret === true,
      source: inForce[key].source,
      env: SETTINGS[key].env,
      about: SETTINGS[key].about,
    }));
    await ctx.out.answer({
      json: () => ({ settings }),
      quiet: () => settings.map((setting) => `${setting.key}=${shown(setting)}`),
      text: (view) =>
        renderTable(
          view,
          COLUMNS,
          settings.map((setting) => [setting.key, shown(setting), setting.source, setting.env, setting.about]),
        ),
    });
  });

const shown = ({ value, secret, source }: { value: string | null; secret: boolean; source: SettingSource }): string =>
  secret && source !== "default" ? "(set, not shown)" : (value ?? "");

const COLUMNS: readonly Column[] = [
  { title: "Setting" },
  { title: "Value", key: true },
  { title: "From" },
  { title: "Variable" },
  { title: "What for" },
];
