import type { SettingKey } from "@aigw/core";
import { unsetSetting } from "@aigw/core/acts";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { prose } from "../../terminal/output/wrap.ts";
import { neededKey } from "./setting-key.ts";

export const command = (ctx: Context): Command =>
  describe("unset", "Forget a stored setting: its default is in force again.", [
    ["aigw config unset docs-url", "the gateway's own guide again"],
    ["aigw config unset sender-name", "the e-mails are signed by the team again"],
  ])
    .argument("[key]", "the setting; see: aigw config list")
    .usage("<key>")
    .action(async (given: string | undefined) => {
      await run({ key: await neededKey(ctx, given, "aigw config unset <key>") }, ctx);
    });

export const run = ({ key }: { readonly key: SettingKey }, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const { rev, changed } = await unsetSetting(home, key);
    await ctx.out.answer({
      json: () => ({ setting: { key, value: null }, changed, rev }),
      quiet: () => key,
      text: (view) => prose(view, changed ? `${key} is unset.` : `${key} was not set; nothing to do.`),
    });
  });
