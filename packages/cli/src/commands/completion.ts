import { AigwError } from "@aigw/core/errors";
import type { Command } from "commander";
import { describe } from "../app/command.ts";
import type { Context } from "../app/context.ts";
import { SCRIPTS, SHELLS, type Shell } from "../completion/scripts.ts";
import { need } from "../terminal/ask.ts";

export const command = (ctx: Context): Command =>
  describe("completion", "Print what makes your shell complete commands, options, and the names in your store.", [
    ['eval "$(aigw completion bash)"', "in ~/.bashrc"],
    ['eval "$(aigw completion zsh)"', "in ~/.zshrc, after compinit"],
    ["aigw completion fish >~/.config/fish/completions/aigw.fish", "once"],
  ])
    .argument("[shell]", "bash, zsh or fish")
    .usage("<bash|zsh|fish>")
    .action(async (given: string | undefined) => {
      const shell = await need(ctx, given, {
        argument: "<shell>",
        usage: "aigw completion <bash|zsh|fish>",
        question: "For which shell?",
        parse: parseShell,
        choices: async () => SHELLS.map((value) => ({ value })),
      });
      await run({ shell }, ctx);
    });

const parseShell = (value: string): Shell => {
  const shell = SHELLS.find((known) => known === value);
  if (shell !== undefined) return shell;
  throw new AigwError("invalid_value", `shell '${value}' is not valid: use ${SHELLS.join(", ")}.`);
};

export const run = ({ shell }: { readonly shell: Shell }, ctx: Context): Promise<void> =>
  ctx.out.answer({
    json: () => ({ shell, script: SCRIPTS[shell] }),
    quiet: () => SCRIPTS[shell].split("\n"),
    text: () => SCRIPTS[shell],
  });
