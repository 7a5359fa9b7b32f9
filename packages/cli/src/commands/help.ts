import type { Command } from "commander";
import { UsageError } from "../cli-error.ts";
import { describe } from "../command.ts";
import type { Context } from "../context.ts";
import { EXIT_CODES, EXIT_MEANINGS } from "../exit-codes.ts";
import { renderTable } from "../output/table.ts";

export const command = (ctx: Context): Command =>
  describe("help", "Help for a command, or on a topic.", [
    ["aigw help client add", "the same as: aigw client add --help"],
    ["aigw help exit-codes", "what the exit codes mean"],
  ])
    .argument("[words...]", "a command, or the topic exit-codes")
    .usage("[command | exit-codes]")
    .action(function (this: Command, words: readonly string[]) {
      return run({ words, program: this.parent ?? this }, ctx);
    });

export interface HelpOptions {
  readonly words: readonly string[];
  readonly program: Command;
}

export const run = async ({ words, program }: HelpOptions, ctx: Context): Promise<void> => {
  if (words.length === 1 && words[0] === "exit-codes") return showExitCodes(ctx);
  let command = program;
  for (const word of words) {
    const next = command.commands.find((candidate) => candidate.name() === word);
    if (next === undefined) throw new UsageError(`There is no help on '${words.join(" ")}'. See: aigw --help`);
    command = next;
  }
  command.help();
};

const showExitCodes = (ctx: Context): Promise<void> => {
  const rows = Object.entries(EXIT_MEANINGS).map(([exitCode, meaning]) => ({
    exitCode: Number(exitCode),
    meaning,
    codes: Object.entries(EXIT_CODES).flatMap(([code, exit]) => (exit === Number(exitCode) ? [code] : [])),
  }));
  return ctx.out.answer({
    json: () => ({ exitCodes: rows }),
    quiet: () => rows.map(({ exitCode }) => String(exitCode)),
    text: (view) =>
      renderTable(
        view,
        [{ title: "Exit code", align: "right" }, { title: "Meaning" }, { title: "Error codes (--json)" }],
        rows.map(({ exitCode, meaning, codes }) => [String(exitCode), meaning, codes.join(", ")]),
      ),
  });
};
