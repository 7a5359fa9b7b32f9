import { spawn } from "node:child_process";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import type { TestContext } from "node:test";
import { type Clock, type OpenedHome, openHome, systemClock } from "@aigw/core";
import { AIGW, COMPILED } from "../../../../test/support/aigw.ts";
import { storeUrlOf } from "../../../../test/support/engine.ts";
import { Interrupted } from "../../src/app/cli-error.ts";
import { run } from "../../src/app/run.ts";
import type { Io, StopSignal } from "../../src/terminal/io.ts";
import type { Choice, Prompter } from "../../src/terminal/prompter.ts";

export { AIGW, COMPILED, temporaryHome } from "../../../../test/support/aigw.ts";

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What is typed, chosen from a list, or said to a question. */
export type Answer = string | boolean | readonly string[];

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Buffer;
  /** Columns of the terminal that all three streams are on; absent, they are pipes. */
  readonly terminal?: number;
  /** The answers given, in turn; one too few is Ctrl-C. */
  readonly answers?: readonly Answer[];
  readonly clock?: Clock;
  readonly onStop?: Io["onStop"];
  readonly onStdout?: (text: string) => void;
  readonly onStderr?: (text: string) => void;
}

/** Runs a command line in this process, against a real home. */
export const aigw = async (home: string, argv: readonly string[], options: RunOptions = {}): Promise<Outcome> => {
  const stdout = captured(options.terminal, options.onStdout);
  const stderr = captured(options.terminal, options.onStderr);
  const piped = typeof options.stdin === "string" ? Buffer.from(options.stdin) : options.stdin;
  const stdin = Object.assign(Readable.from(piped === undefined ? [] : [piped]), {
    isTTY: options.terminal !== undefined,
  });
  const code = await run(argv, {
    stdin,
    stdout: stdout.stream,
    stderr: stderr.stream,
    env: { AIGW_HOME: home, AIGW_STORE: storeUrlOf(home), ...options.env },
    cwd: home,
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    prompter: scriptedPrompter(options.answers ?? [], stderr.stream),
    onStop: options.onStop ?? (() => () => {}),
    handOver: onNoTerminal,
  });
  return { code, stdout: stdout.text(), stderr: stderr.text() };
};

/** Runs one that must succeed. @returns its JSON document */
export const aigwJson = async <T>(home: string, argv: readonly string[], options?: RunOptions): Promise<T> => {
  const outcome = await aigw(home, [...argv, "--json"], options);
  if (outcome.code !== 0) throw new Error(`aigw ${argv.join(" ")} exited ${outcome.code}: ${outcome.stderr}`);
  return json<T>(outcome);
};

const captured = (
  columns: number | undefined,
  onText?: (text: string) => void,
): { readonly stream: Writable & { isTTY?: boolean; columns?: number }; readonly text: () => string } => {
  let text = "";
  const writable = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      onText?.(chunk.toString());
      done();
    },
  });
  return { stream: Object.assign(writable, columns === undefined ? {} : { isTTY: true, columns }), text: () => text };
};

/** The program itself, without a terminal to show anything on. */
const onNoTerminal: NonNullable<Io["handOver"]> = (command, { args = [], input, env }) =>
  new Promise((settle) => {
    const child = spawn("/bin/sh", ["-c", `${command} "$@"`, command, ...args], {
      env: { PATH: process.env["PATH"], ...env },
      stdio: ["pipe", "ignore", "ignore"],
      timeout: PROCESS_TIMEOUT_MS,
    });
    child.stdin.on("error", () => undefined).end(input);
    child.on("close", (code) => settle(code === 127 ? undefined : (code ?? 128)));
  });

const list = (message: string, choices: readonly Choice[]): string =>
  [message, ...choices.map(({ value, about = "" }) => `- ${value}: ${about}`)].join("\n");

const scriptedPrompter = (answers: readonly Answer[], stderr: Writable): Prompter => {
  const left = [...answers];
  const next = (message: string): Answer => {
    stderr.write(`? ${message}\n`);
    const answer = left.shift();
    if (answer === undefined) throw new Interrupted("Cancelled. Nothing was changed.");
    return answer;
  };
  return {
    async input({ message, problem }) {
      for (;;) {
        const answer = String(next(message));
        const wrong = problem?.(answer);
        if (wrong === undefined) return answer;
        stderr.write(`> ${wrong}\n`);
      }
    },
    password: async (message) => String(next(message)),
    confirm: async (message) => next(message) === true,
    async pick({ message, choices, free = false, problem }) {
      for (;;) {
        const answer = String(next(list(message, choices)));
        if (!free && !choices.some(({ value }) => value === answer)) throw new Error(`${answer} is not on the list`);
        const wrong = problem?.(answer);
        if (wrong === undefined) return answer;
        stderr.write(`> ${wrong}\n`);
      }
    },
    async pickSeveral({ message, choices }) {
      const answers = [next(list(message, choices))].flat().map(String);
      for (const answer of answers)
        if (!choices.some(({ value }) => value === answer)) throw new Error(`${answer} is not on the list`);
      return answers;
    },
  };
};

/** What is on stdout, as JSON. */
export const json = <T = Record<string, unknown>>({ stdout }: Outcome): T => JSON.parse(stdout) as T;

/** The error on stderr with `--json`. */
export const jsonError = ({ stderr }: Outcome): { readonly code: string; readonly message: string } =>
  (JSON.parse(stderr) as { error: { code: string; message: string } }).error;

/** The home's store, opened beside the command line and closed after the test. */
export const opened = async (t: Pick<TestContext, "after">, home: string): Promise<OpenedHome> => {
  const result = await openHome({ home, storeUrl: storeUrlOf(home), clock: systemClock });
  t.after(() => result.store.close());
  return result;
};

export interface Started {
  readonly done: Promise<Outcome & { readonly signal: NodeJS.Signals | null }>;
  readonly kill: (signal: StopSignal) => void;
  /** Resolves once stdout or stderr holds the text. */
  readonly saw: (text: string) => Promise<void>;
  readonly closeStdout: () => void;
}

export const PROCESS_TIMEOUT_MS = 60_000;

/** Starts the command line as a process of its own. */
export const start = (
  home: string,
  argv: readonly string[],
  options: Pick<RunOptions, "env" | "stdin"> = {},
): Started => {
  const child = spawn(process.execPath, [...AIGW, ...argv], {
    env: {
      ...COMPILED,
      PATH: process.env["PATH"],
      HOME: join(home, ".."),
      AIGW_HOME: home,
      AIGW_STORE: storeUrlOf(home),
      ...options.env,
    },
    stdio: [options.stdin === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    timeout: PROCESS_TIMEOUT_MS,
    killSignal: "SIGKILL",
  });
  child.stdin?.on("error", () => {}).end(options.stdin);
  const text = { stdout: "", stderr: "" };
  const waiting = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (chunk: string) => {
      text[name] += chunk;
      for (const check of waiting) check();
    });
  }
  const done = new Promise<Outcome & { signal: NodeJS.Signals | null }>((settle, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => settle({ code, signal, ...text }));
  });
  const saw = (wanted: string): Promise<void> =>
    new Promise((settle, reject) => {
      const check = (): void => {
        if (!text.stdout.includes(wanted) && !text.stderr.includes(wanted)) return;
        waiting.delete(check);
        settle();
      };
      waiting.add(check);
      check();
      void done.then((ended) => reject(new Error(`ended without '${wanted}': ${JSON.stringify(ended)}`)));
    });
  return { done, saw, kill: (signal) => child.kill(signal), closeStdout: () => child.stdout?.destroy() };
};
