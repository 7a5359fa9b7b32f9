import type { Command } from "commander";
import { UsageError } from "../app/cli-error.ts";
import { describe, isNamed } from "../app/command.ts";
import type { Context } from "../app/context.ts";
import { TOPIC_NAMES } from "../terminal/help/topic-names.ts";
import { TOPICS } from "../terminal/help/topics.ts";

export const command = (ctx: Context): Command =>
  describe("help", "Help for a command, or on a topic.", [
    ["aigw help client add", "the same as: aigw client add --help"],
    ...TOPIC_NAMES.map((name) => [`aigw help ${name}`, TOPICS[name].about] as const),
  ])
    .argument("[words...]", `a command, or a topic: ${TOPIC_NAMES.join(", ")}`)
    .usage("[command | topic]")
    .action(function (this: Command, words: readonly string[]) {
      return run({ words, program: this.parent ?? this }, ctx);
    });

export interface HelpOptions {
  readonly words: readonly string[];
  readonly program: Command;
}

export const run = async ({ words, program }: HelpOptions, ctx: Context): Promise<void> => {
  const topic = words.length === 1 ? TOPIC_NAMES.find((name) => name === words[0]) : undefined;
  if (topic !== undefined) return ctx.out.answer({ ...TOPICS[topic].answer(), isLong: true });
  let command = program;
  for (const word of words) {
    const next = command.commands.find((candidate) => isNamed(candidate, word));
    if (next === undefined) {
      throw new UsageError(
        `There is no help on '${words.join(" ")}'. See: aigw --help; topics are ${TOPIC_NAMES.join(", ")}.`,
      );
    }
    command = next;
  }
  command.help();
};
