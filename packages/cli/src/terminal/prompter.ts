import { Interrupted } from "../app/cli-error.ts";
import type { InputStream, OutputStream } from "./io.ts";

export interface InputQuestion {
  readonly message: string;
  readonly default?: string;
  /** @returns what is wrong with the answer, or undefined */
  readonly problem?: (answer: string) => string | undefined;
}

/** Asks the person at the terminal. Every question may end in {@link Interrupted}. */
export interface Prompter {
  input(question: InputQuestion): Promise<string>;
  /** The answer is not echoed. */
  password(message: string): Promise<string>;
  confirm(message: string): Promise<boolean>;
}

type Question =
  | ({ readonly type: "input" } & InputQuestion)
  | { readonly type: "password"; readonly message: string }
  | { readonly type: "confirm"; readonly message: string; readonly default: boolean };

/** Asks on `output`, which is stderr: stdout belongs to the data. inquirer is loaded with the first question. */
export const terminalPrompter = (input: InputStream, output: OutputStream): Prompter => {
  const ask = async (question: Question): Promise<unknown> => {
    const { createPromptModule } = await import("inquirer");
    const closed = new AbortController();
    const prompt = createPromptModule({ input, output, signal: closed.signal });
    // inquirer never settles when the terminal is closed (Ctrl-D, hang-up); readline pauses its input then.
    const onPause = (): void => closed.abort();
    try {
      const asked = prompt([{ ...question, name: "answer", ...validator(question) }]);
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
  return {
    input: async (question) => String(await ask({ type: "input", ...question })).trim(),
    password: async (message) => String(await ask({ type: "password", message })),
    confirm: async (message) => (await ask({ type: "confirm", message, default: false })) === true,
  };
};

const validator = (question: Question): { validate?: (answer: unknown) => true | string } => {
  if (question.type !== "input" || question.problem === undefined) return {};
  const { problem } = question;
  return { validate: (answer) => problem(String(answer).trim()) ?? true };
};

const isGivenUp = (error: unknown): boolean =>
  error instanceof Error &&
  (error.name === "ExitPromptError" || error.name === "AbortPromptError" || error.name === "CancelPromptError");
