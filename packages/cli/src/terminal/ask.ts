import { Interrupted, UsageError } from "../app/cli-error.ts";
import type { Context } from "../app/context.ts";
import { problemOf } from "../app/flag.ts";

export interface Missing<T> {
  /** As it stands in the usage, such as `<name>`. */
  readonly argument: string;
  /** The whole command, such as `aigw client add <name>`. */
  readonly usage: string;
  readonly question: string;
  readonly parse: (value: string) => T;
}

/** The argument, or the answer to a question on a terminal. @throws UsageError naming it when there is nobody to ask */
export const need = async <T>(ctx: Context, given: string | undefined, missing: Missing<T>): Promise<T> => {
  if (given !== undefined) return missing.parse(given);
  if (!ctx.interactive) throw new UsageError(`Missing argument ${missing.argument}. Use: ${missing.usage}`);
  const answer = await ctx.prompter.input({
    message: missing.question,
    problem: (value) => problemOf(missing.parse, value),
  });
  return missing.parse(answer);
};

/** An optional answer: nothing entered, or nobody there to ask, means undefined. */
export const offer = async <T>(
  ctx: Context,
  question: { readonly message: string; readonly parse: (value: string) => T },
): Promise<T | undefined> => {
  if (!ctx.interactive) return undefined;
  const answer = await ctx.prompter.input({
    message: question.message,
    problem: (value) => (value === "" ? undefined : problemOf(question.parse, value)),
  });
  return answer === "" ? undefined : question.parse(answer);
};

/**
 * Says what a destructive command will hit and asks, unless `--yes` was given.
 * @throws UsageError when there is nobody to ask; Interrupted when the answer is no
 */
export const confirmed = async (ctx: Context, impact: string, question: string): Promise<void> => {
  if (ctx.globals.yes) return ctx.out.note(impact);
  if (!ctx.interactive) throw new UsageError(`${impact} There is no terminal to ask on: add --yes to do it.`);
  await ctx.out.note(impact);
  if (!(await ctx.prompter.confirm(question))) throw new Interrupted("Cancelled. Nothing was changed.");
};
