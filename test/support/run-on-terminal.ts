import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { cleanEnv } from "./aigw.ts";
import { onPty, type PtyOptions } from "./pty.ts";
import { beginOf, END, type SessionPlan } from "./terminal-session.ts";

const SESSION = resolve(import.meta.dirname, "terminal-session.ts");

export interface TerminalCommand {
  readonly argv: readonly string[];
  readonly home: string;
  readonly press?: PtyOptions["press"];
}

export interface Shown {
  /** All that the terminal was sent. */
  readonly output: string;
  /** NaN: it was not run. */
  readonly exitCode: number;
}

/**
 * Runs commands one after the other on one terminal, in one process. @throws Error that says what was waited for in vain
 * @param folder the working folder, which the plan is put into @param columns 0: the terminal does not know its width
 */
export const runOnTerminal = async (
  folder: string,
  commands: readonly TerminalCommand[],
  { columns, now }: { readonly columns: number; readonly now?: number },
): Promise<readonly Shown[]> => {
  const planFile = join(folder, "plan.json");
  const plan: SessionPlan = {
    commands: commands.map(({ argv, home }) => ({ argv, home })),
    ...(now !== undefined && { now }),
  };
  writeFileSync(planFile, JSON.stringify(plan));
  const { output, pressLeft } = await onPty([process.execPath, "--conditions=aigw-built", SESSION, planFile], {
    columns,
    // What the commands themselves write is looked at, not what a pager makes of it.
    env: { ...cleanEnv(join(folder, "home")), TERM: "xterm-256color", PAGER: "cat" },
    cwd: folder,
    // What one command shows must not be taken for what the next one is waited for to show.
    press: commands.flatMap(({ press = [] }, index) => (press.length === 0 ? [] : [[beginOf(index), ""], ...press])),
    timeoutMs: 90_000,
  });
  if (pressLeft.length > 0) throw new Error(`At ${columns} columns this was not shown: ${JSON.stringify(pressLeft)}`);
  return commands.map((_, index) => {
    const [shown = "", code = ""] = (output.split(beginOf(index))[1] ?? "").split(END);
    return { output: shown, exitCode: Number.parseInt(code, 10) };
  });
};
