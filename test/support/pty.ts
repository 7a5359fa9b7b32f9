import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { within } from "./until.ts";

/** util-linux's `script` gives a program a terminal; every Linux has it, and `stty` gives that terminal its size. */
const version = process.platform === "linux" ? spawnSync("script", ["--version"], { encoding: "utf8" }).stdout : "";

/** Why there is no pseudo-terminal to be had here; false where there is one. */
export const NO_PTY: string | false = /util-linux/.test(version ?? "") ? false : "there is no util-linux script";

/** Keys to press, or what else happens to the program and its window. */
export type PtyAct = string | { readonly signal: NodeJS.Signals } | { readonly resize: readonly [number, number] };

/** What is done when a text is seen, the first time after what was seen before; if need be after so many seconds. */
export type PtyStep = readonly [expect: string, act: PtyAct, afterS?: number];

export interface PtyOptions {
  /** 0: a terminal that does not know its size. */
  readonly columns: number;
  readonly rows?: number;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly press?: readonly PtyStep[];
  /** Standard output is not the terminal. */
  readonly pipeStdout?: boolean;
  readonly timeoutMs?: number;
}

export interface PtySession {
  /** All that the terminal was sent, escape sequences included. */
  readonly output: string;
  /** What went past the terminal, with `pipeStdout`. */
  readonly stdout: string;
  readonly exitCode: number | null;
  /** Whether the terminal's modes are at the end what they were before. */
  readonly sameModes: boolean;
  /** What was still waited for at the end. */
  readonly pressLeft: readonly PtyStep[];
}

const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

/** Runs a program on a pseudo-terminal of its own, which outlives it. */
export const onPty = async (argv: readonly string[], options: PtyOptions): Promise<PtySession> => {
  const { columns, rows = 40, env, cwd, press = [], pipeStdout = false, timeoutMs = 60_000 } = options;
  const notes = mkdtempSync(join(tmpdir(), "aigw-pty-"));
  const note = (name: string): string => join(notes, name);
  const read = (name: string): string => readFileSync(note(name), "utf8").trimEnd();
  const command = [
    // What Ctrl-C sends, every process of the terminal gets; this shell is to see the end.
    "trap : INT TERM QUIT",
    `stty cols ${columns} rows ${rows}`,
    `tty >${note("tty")}`,
    `stty -g >${note("before")}`,
    `sh -c 'echo $$ >${note("pid")}; exec "$@"' sh ${argv.map(quoted).join(" ")}${pipeStdout ? ` >${note("stdout")}` : ""}`,
    "code=$?",
    `stty -g >${note("after")}`,
    "exit $code",
  ].join("\n");
  const child = spawn("script", ["-qec", command, "/dev/null"], {
    env: { ...env, SHELL: "/bin/sh" },
    stdio: ["pipe", "pipe", "inherit"],
    ...(cwd !== undefined && { cwd }),
  });
  const act = (what: PtyAct): void => {
    if (typeof what === "string") child.stdin.write(what);
    else if ("signal" in what) process.kill(Number(read("pid")), what.signal);
    else spawnSync("stty", ["-F", read("tty"), "cols", String(what.resize[0]), "rows", String(what.resize[1])]);
  };
  const { ended, shown } = follow(child, press, act);
  try {
    const session = await within(argv.join(" "), ended, timeoutMs);
    return {
      ...session,
      stdout: pipeStdout ? readFileSync(note("stdout"), "utf8") : "",
      sameModes: read("before") === read("after"),
    };
  } catch (cause) {
    throw new Error(`The terminal shows: ${shown().slice(-1_000)}`, { cause });
  } finally {
    child.kill("SIGKILL");
    rmSync(notes, { recursive: true, force: true });
  }
};

const follow = (
  child: ChildProcess,
  press: readonly PtyStep[],
  act: (what: PtyAct) => void,
): {
  readonly ended: Promise<Pick<PtySession, "output" | "exitCode" | "pressLeft">>;
  readonly shown: () => string;
} => {
  const left = [...press];
  let output = "";
  let seen = 0;
  child.stdin?.on("error", () => undefined);
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    for (let next = left[0]; next !== undefined; next = left[0]) {
      const [expect, what, afterS] = next;
      const at = output.indexOf(expect, seen);
      if (at === -1) break;
      seen = at + expect.length;
      left.shift();
      if (afterS === undefined) act(what);
      else setTimeout(() => act(what), afterS * 1_000).unref();
    }
  });
  const ended = new Promise<Pick<PtySession, "output" | "exitCode" | "pressLeft">>((settle, reject) => {
    child.on("error", reject);
    child.on("close", (exitCode) => settle({ output, exitCode, pressLeft: left }));
  });
  return { ended, shown: () => output };
};
