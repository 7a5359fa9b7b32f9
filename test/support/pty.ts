import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { within } from "./until.ts";

/** util-linux's `script` gives a program a terminal; every Linux has it, and `stty` gives that terminal its size. */
const version = process.platform === "linux" ? spawnSync("script", ["--version"], { encoding: "utf8" }).stdout : "";

/** Why there is no pseudo-terminal to be had here; false where there is one. */
export const NO_PTY: string | false = /util-linux/.test(version ?? "") ? false : "there is no util-linux script";

export interface PtyOptions {
  readonly columns: number;
  readonly rows?: number;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** For each text that is waited for, in turn, the keys to press then. */
  readonly press?: readonly (readonly [expect: string, keys: string])[];
  readonly timeoutMs?: number;
}

export interface PtySession {
  /** All that the terminal was sent, escape sequences included. */
  readonly output: string;
  readonly exitCode: number | null;
  /** What was still waited for at the end. */
  readonly pressLeft: readonly (readonly [string, string])[];
}

const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

/** Runs a program on a pseudo-terminal of so many columns; 0 is a terminal that does not know its size. */
export const onPty = async (argv: readonly string[], options: PtyOptions): Promise<PtySession> => {
  const { columns, rows = 40, env, cwd, press = [], timeoutMs = 60_000 } = options;
  const command = `stty cols ${columns} rows ${rows}; exec ${argv.map(quoted).join(" ")}`;
  const child = spawn("script", ["-qec", command, "/dev/null"], {
    env: { ...env, SHELL: "/bin/sh" },
    stdio: ["pipe", "pipe", "inherit"],
    ...(cwd !== undefined && { cwd }),
  });
  const { session, shown } = follow(child, press);
  try {
    return await within(argv.join(" "), session, timeoutMs);
  } catch (cause) {
    throw new Error(`The terminal shows: ${shown().slice(-1_000)}`, { cause });
  } finally {
    child.kill("SIGKILL");
  }
};

const follow = (
  child: ChildProcess,
  press: readonly (readonly [string, string])[],
): { readonly session: Promise<PtySession>; readonly shown: () => string } => {
  const left = [...press];
  let output = "";
  let seen = 0;
  child.stdin?.on("error", () => undefined);
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    for (let next = left[0]; next !== undefined; next = left[0]) {
      const at = output.indexOf(next[0], seen);
      if (at === -1) break;
      seen = at + next[0].length;
      left.shift();
      child.stdin?.write(next[1]);
    }
  });
  const session = new Promise<PtySession>((settle, reject) => {
    child.on("error", reject);
    child.on("close", (exitCode) => settle({ output, exitCode, pressLeft: left }));
  });
  return { session, shown: () => output };
};
