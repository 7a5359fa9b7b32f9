import { Interrupted, UsageError } from "../app/cli-error.ts";
import type { Context } from "../app/context.ts";
import { problemOf } from "../app/flag.ts";
import type { Choice } from "./prompter.ts";

export interface Missing<T> {
  /** As it stands in the usage, such as `<name>`. */
  readonly argument: string;
  /** The whole command, such as `aigw client add <name>`. */
  readonly usage: string;
  readonly question: string;
  readonly parse: (value: string) => T;
  /** What there is to choose from; read when it is asked for. @throws AigwError when there is nothing */
  readonly choices?: () => Promise<readonly Choice[]>;
  /** Something else than the choices may be typed. */
  readonly free?: boolean;
}

/** The argument, or the answer to a question on a terminal. @throws UsageError naming it when there is nobody to ask */
export const need = async <T>(ctx: Context, given: string | undefined, missing: Missing<T>): Promise<T> => {
  const { choices, free = false, question, parse } = missing;
  if (given !== undefined) return parse(given);
  assertAsked(ctx, missing);
  const problem = (value: string): string | undefined => problemOf(parse, value);
  const known = (await choices?.()) ?? [];
  if (known.length > 0) return parse(await ctx.prompter.pick({ message: question, choices: known, free, problem }));
  return parse(await ctx.prompter.input({ message: question, problem }));
};

/** As many as one change of the log takes with ease. */
const MOST = 1_000;

/** {@link need} for one or more: each once, in the order given. @throws UsageError also for more than a thousand */
export const needSeveral = async (
  ctx: Context,
  given: readonly string[],
  missing: Omit<Missing<string>, "parse" | "free"> & Required<Pick<Missing<string>, "choices">>,
): Promise<readonly string[]> => {
  if (given.length > MOST) throw new UsageError(`That is too many at once: ${given.length}. Name ${MOST} at most.`);
  if (given.length > 0) return [...new Set(given)];
  assertAsked(ctx, missing);
  return ctx.prompter.pickSeveral({ message: missing.question, choices: await missing.choices() });
};

const assertAsked = (ctx: Context, { argument, usage }: Pick<Missing<unknown>, "argument" | "usage">): void => {
  if (!ctx.interactive) throw new UsageError(`Missing argument ${argument}. Use: ${usage}`);
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
  if (!ctx.interactive) throw new UsageError(`Not done: ${impact} Nobody can be asked here: add --yes to do it.`);
  await ctx.out.note(impact);
  if (!(await ctx.prompter.confirm(question))) throw new Interrupted("Cancelled. Nothing was changed.");
};
