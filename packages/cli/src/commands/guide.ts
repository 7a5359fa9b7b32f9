import { createGuide, guideFacts, renderGuideMarkdown } from "@aigw/core/onboarding";
import type { Command } from "commander";
import { describe } from "../app/command.ts";
import type { Context } from "../app/context.ts";
import { settingsInForce, warnOfPlainHttp } from "../app/settings.ts";
import { escapeLines } from "../terminal/output/escape.ts";

export const command = (ctx: Context): Command =>
  describe(
    "guide",
    "Print the client guide as Markdown: what a client must know, and nothing that is not its business.",
    [
      ["aigw guide >CLIENT_API_GUIDE.md", "a file to share"],
      ["aigw guide -q", "its address at the gateway, to share in place of a file"],
      ["aigw guide --json | jq -r .guide.markdown", "in a script"],
    ],
  ).action(() => run(ctx));

export const run = (ctx: Context): Promise<void> =>
  ctx.withControl(async (control) => {
    const settings = settingsInForce(ctx, await control.settings());
    const services = await control.services();
    const facts = guideFacts(services, settings);
    const url = settings["docs-url"].value ?? `${facts.publicUrl}/guide`;
    const markdown = renderGuideMarkdown(createGuide(facts));
    await ctx.out.answer({
      isLong: true,
      json: () => ({
        guide: {
          url,
          publicUrl: facts.publicUrl,
          services: facts.services.map(({ name }) => name),
          limit: facts.defaultLimit,
          tokenLifetimeS: facts.tokenLifetimeS,
          supportEmail: facts.supportEmail ?? null,
          markdown,
        },
      }),
      quiet: () => url,
      text: () => escapeLines(markdown),
    });
    await warnOfPlainHttp(ctx, facts.publicUrl);
    if (settings["public-url"].source === "default") {
      await ctx.out.note("The public URL is not set yet: aigw config set public-url https://…");
    }
  });
