import type { Command } from "commander";
import { describe } from "../app/command.ts";
import type { Context } from "../app/context.ts";
import { tellStory } from "../demo/story.ts";
import { prose } from "../terminal/output/wrap.ts";

export const command = (ctx: Context): Command =>
  describe("demo", "The whole story on real input, in a folder of its own: nothing of yours is touched.", [
    ["aigw demo", "service, client, e-mail, token, a picture read, pages, a quota, a bill, revocation"],
    ["aigw demo --json", "the results alone"],
  ]).action(() => run(ctx));

export const run = async (ctx: Context): Promise<void> => {
  const results = await tellStory(ctx);
  await ctx.out.answer({
    json: () => results,
    quiet: () => results.text,
    text: (view) => prose(view, "Done: every line above was the product at work. Everything it made is cleaned up."),
  });
};
