import { Interrupted } from "../app/cli-error.ts";
import { columnsOf, type InputStream, type OutputStream } from "./io.ts";
import { escapeText } from "./output/escape.ts";

export interface InputQuestion {
  readonly message: string;
  readonly default?: string;
  /** @returns what is wrong with the answer, or undefined */
  readonly problem?: (answer: string) => string | undefined;
}

export interface Choice {
  readonly value: string;
  /** Shown with the one that the cursor is on. */
  readonly about?: string;
}

export interface Pick {
  readonly message: string;
  /** One at least. */
  readonly choices: readonly Choice[];
  /** What is typed is an answer, too, when it is not among them. */
  readonly free?: boolean;
  /** @returns what is wrong with the answer, or undefined */
  readonly problem?: (answer: string) => string | undefined;
}

/** Asks the person at the terminal. Every question may end in {@link Interrupted}. */
export interface Prompter {
  input(question: InputQuestion): Promise<string>;
  /** The answer is not echoed. */
  password(message: string): Promise<string>;
  confirm(message: string): Promise<boolean>;
  /** One of a list: with the arrow keys, or by typing a part of it where the list is long. */
  pick(pick: Pick): Promise<string>;
  /** One or more of a list; of a long one, which has to be searched, one. */
  pickSeveral(pick: Omit<Pick, "free">): Promise<readonly string[]>;
}

type Question =
  | ({ readonly type: "input" } & InputQuestion)
  | { readonly type: "password"; readonly message: string }
  | { readonly type: "confirm"; readonly message: string; readonly default: boolean }
  | { readonly type: "select"; readonly message: string; readonly choices: readonly Row[] }
  | { readonly type: "checkbox"; readonly message: string; readonly choices: readonly Row[]; readonly required: true }
  | {
      readonly type: "search";
      readonly message: string;
      readonly validate?: (answer: string) => true | string;
      readonly source: (term: string | undefined) => readonly Row[];
    };

/** As inquirer shows a choice. */
interface Row {
  readonly value: string;
  readonly name: string;
  readonly description?: string;
}

/** What fits most terminals at once is gone through with the arrow keys; in more than that one searches. */
const SEARCHED_FROM = 16;

/** The mark before a question, and ` (y/N)` behind it. inquirer itself breaks what is longer in the middle of words. */
const BESIDE_MESSAGE = 9;

/** Asks on `output`, which is stderr: stdout belongs to the data. What that takes is loaded with the first question. */
export const terminalPrompter = (input: InputStream, output: OutputStream): Prompter => {
  const ask = async (question: Question): Promise<unknown> => {
    const [{ createPromptModule }, { wrap }] = await Promise.all([import("inquirer"), import("./output/wrap.ts")]);
    const closed = new AbortController();
    const prompt = createPromptModule({ input, output, signal: closed.signal });
    // inquirer never settles when the terminal is closed (Ctrl-D, hang-up); readline pauses its input then.
    const onPause = (): void => closed.abort();
    try {
      const message = wrap(question.message, columnsOf(output) - BESIDE_MESSAGE).join("\n");
      const asked = prompt([{ ...question, message, name: "answer", ...validator(question) }]);
      input.once("pause", onPause);
      const { answer } = (await asked) as { answer: unknown };
      return answer;
    } catch (error) {
      if (isGivenUp(error)) throw new Interrupted("Cancelled. Nothing was changed.");
      throw error;
    } finally {
      input.off("pause", onPause);
    }
  };
  const pick = async ({ message, choices, free = false, problem }: Pick): Promise<string> => {
    const rows = choices.map(rowOf);
    if (rows.length < SEARCHED_FROM && !free) return String(await ask({ type: "select", message, choices: rows }));
    return String(
      await ask({
        type: "search",
        message,
        source: (term) => matching(rows, term ?? "", free),
        ...(problem !== undefined && { validate: (answer: string) => problem(answer) ?? true }),
      }),
    );
  };
  return {
    input: async (question) => String(await ask({ type: "input", ...question })).trim(),
    password: async (message) => String(await ask({ type: "password", message })),
    confirm: async (message) => (await ask({ type: "confirm", message, default: false })) === true,
    pick,
    pickSeveral: async ({ message, choices }) => {
      if (choices.length >= SEARCHED_FROM) return [await pick({ message, choices })];
      const answer = await ask({ type: "checkbox", message, choices: choices.map(rowOf), required: true });
      return (answer as readonly unknown[]).map(String);
    },
  };
};

/** Control characters of a tampered store do not reach the terminal. */
const rowOf = ({ value, about = "" }: Choice): Row => ({
  value,
  name: escapeText(value),
  ...(about !== "" && { description: escapeText(about) }),
});

/** Those that begin with it first. */
const matching = (rows: readonly Row[], term: string, free: boolean): readonly Row[] => {
  const typed = term.trim();
  const wanted = typed.toLowerCase();
  const found = rows.filter(({ value }) => value.toLowerCase().includes(wanted));
  const [first, rest] = [true, false].map((begins) =>
    found.filter(({ value }) => value.toLowerCase().startsWith(wanted) === begins),
  );
  const isNew = free && typed !== "" && !rows.some(({ value }) => value === typed);
  return [...(first ?? []), ...(rest ?? []), ...(isNew ? [rowOf({ value: typed })] : [])];
};

const validator = (question: Question): { validate?: (answer: unknown) => true | string } => {
  if (question.type !== "input" || question.problem === undefined) return {};
  const { problem } = question;
  return { validate: (answer) => problem(String(answer).trim()) ?? true };
};

const isGivenUp = (error: unknown): boolean =>
  error instanceof Error &&
  (error.name === "ExitPromptError" || error.name === "AbortPromptError" || error.name === "CancelPromptError");
