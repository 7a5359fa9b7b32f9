import { SETTING_KEYS, SETTINGS } from "@aigw/core";
import type { Command } from "commander";
import { describe } from "../../command.ts";
import type { Context } from "../../context.ts";
import { type Column, renderTable } from "../../output/table.ts";
import { settingsInForce } from "../../settings.ts";

export const command = (ctx: Context): Command =>
  describe("list", "List every setting, its value, and where that is from.", [
    ["aigw config list", "a table"],
    ["aigw config list --json | jq -r '.settings[] | select(.key == \"public-url\") | .value'", "one value"],
  ]).action(() => run(ctx));

export const run = (ctx: Context): Promise<void> =>
  ctx.withHome("existing", async ({ store }) => {
    const inForce = settingsInForce(ctx, await store.control.settings());
    const settings = SETTING_KEYS.map((key) => ({
      key,
      value: inForce[key].value ?? null,
      source: inForce[key].source,
      env: SETTINGS[key].env,
      about: SETTINGS[key].about,
    }));
    await ctx.out.answer({
      json: () => ({ settings }),
      quiet: () => settings.map(({ key, value }) => `${key}=${value ?? ""}`),
      text: (view) =>
        renderTable(
          view,
          COLUMNS,
          settings.map(({ key, value, source, env, about }) => [key, value ?? "", source, env, about]),
        ),
    });
  });

const COLUMNS: readonly Column[] = [
  { title: "Setting" },
  { title: "Value" },
  { title: "From" },
  { title: "Variable" },
  { title: "What for" },
];
