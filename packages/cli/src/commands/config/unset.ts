import type { SettingKey } from "@aigw/core";
import { unsetSettings } from "@aigw/core/acts";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { prose } from "../../terminal/output/wrap.ts";
import { neededKeys } from "./setting-key.ts";

export const command = (ctx: Context): Command =>
  describe("unset", "Forget stored settings: their defaults are in force again.", [
    ["aigw config unset docs-url", "the gateway's own guide again"],
    ["aigw config unset smtp-url smtp-password", "both in one change"],
  ])
    .argument("[key...]", "the settings; see: aigw config list")
    .usage("<key>…")
    .action(async (given: readonly string[]) => {
      await run({ keys: await neededKeys(ctx, given, "aigw config unset <key>…") }, ctx);
    });

export const run = ({ keys }: { readonly keys: readonly SettingKey[] }, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const { result, rev } = await unsetSettings(home, keys);
    const settings = result.map(({ subject: key, changed }) => ({ setting: { key, value: null }, changed, rev }));
    await ctx.out.answer({
      json: () => (settings.length === 1 ? settings[0] : { settings }),
      quiet: () => keys,
      text: (view) =>
        result
          .map(({ subject, changed }) =>
            prose(view, `${subject} ${changed ? "is unset." : "was not set; nothing to do."}`),
          )
          .join("\n"),
    });
  });
