import { createContext } from "../app/context.ts";
import type { ExitCode } from "../app/exit-codes.ts";
import type { Globals } from "../app/globals.ts";
import { createProgram } from "../app/program.ts";
import type { Io } from "../terminal/io.ts";
import { escapeText } from "../terminal/output/escape.ts";
import { writeMessage } from "../terminal/output/write.ts";
import type { Candidate } from "./candidate.ts";
import { candidatesFor } from "./candidates.ts";
import { type ShellWord, splitLine } from "./shell-words.ts";
import { wantedAt } from "./wanted.ts";

/**
 * `aigw __complete bash <line> <word breaks>`, `aigw __complete zsh|fish <word>…`: prints the ways to go on, one a line,
 * or `:files`. Whatever goes wrong, it prints nothing: somebody is at the prompt, in the middle of a command.
 */
export const complete = async (argv: readonly string[], io: Io): Promise<ExitCode> => {
  try {
    const text = await answer(argv, io);
    if (text !== "") await writeMessage(io.stdout, `${text}\n`);
  } catch {
    // No home yet, no right to it, a damaged store: no completion. The command itself will say why.
  }
  return 0;
};

const answer = async ([shell = "", ...given]: readonly string[], io: Io): Promise<string> => {
  const words = shell === "bash" ? splitLine(given[0] ?? "", given[1] ?? "").slice(1) : given.map(unbroken);
  const texts = words.map(({ text }) => text);
  const ctx = createContext(io, () => globalsIn(texts, io));
  const program = await createProgram(ctx, texts.slice(0, -1));
  const storeUrl = async (): Promise<string> => {
    const [{ locateHome }, { defaultStoreUrl }] = await Promise.all([
      import("../app/home.ts"),
      import("@aigw/core/home"),
    ]);
    const location = locateHome(ctx);
    return location.storeUrl ?? defaultStoreUrl(location.home);
  };
  const candidates = await candidatesFor(wantedAt(program, texts), storeUrl);
  if (candidates === undefined) return ":files";
  const brokenOff = words.at(-1)?.brokenOff ?? 0;
  return candidates.map((candidate) => lineFor(shell, candidate, brokenOff)).join("\n");
};

const unbroken = (text: string): ShellWord => ({ text, brokenOff: 0 });

const lineFor = (shell: string, { value, about }: Candidate, brokenOff: number): string => {
  const shown = escapeText(about ?? "");
  if (shell === "zsh") return shown === "" ? escapeColons(value) : `${escapeColons(value)}:${shown}`;
  if (shell === "fish") return shown === "" ? value : `${value}\t${shown}`;
  return value.slice(brokenOff);
};

const escapeColons = (value: string): string => value.replaceAll(":", "\\:");

/** Which store the line is about; the shell has not expanded its words. */
const globalsIn = (words: readonly string[], { env }: Io): Globals => {
  const optionValue = (name: string): string | undefined => {
    for (const [index, word] of words.entries()) {
      if (word === name) return words[index + 1];
      if (word.startsWith(`${name}=`)) return word.slice(name.length + 1);
    }
    return undefined;
  };
  const home = optionValue("--home")?.replace(/^~(?=\/|$)/, env["HOME"] ?? "~");
  const store = optionValue("--store");
  return {
    input: false,
    color: false,
    ...(home === undefined ? {} : { home }),
    ...(store === undefined ? {} : { store }),
  };
};
