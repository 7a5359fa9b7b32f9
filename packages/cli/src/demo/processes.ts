import { type ChildProcess, spawn } from "node:child_process";
import { AigwError } from "@aigw/core/errors";

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const START_MS = 30_000;
const COMMAND_MS = 60_000;
/** A gateway drains for up to this long when it is told to stop. */
const STOP_MS = 10_000;

/** The demo's own processes: none outlives it, whatever happens. */
export class Processes {
  readonly #running = new Set<ChildProcess>();
  readonly #env: NodeJS.ProcessEnv;

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  /** Runs a program to its end. @throws AigwError `failed` when it cannot be run or does not end */
  async run(program: string, args: readonly string[], input?: string): Promise<Finished> {
    const child = this.#spawn(program, args);
    const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
    child.stdin?.end(input);
    const code = await within(ended(child), COMMAND_MS, `${program} ${args[0] ?? ""}`);
    return { code, stdout: stdout(), stderr: stderr() };
  }

  /** The same of a program that writes to this process's own terminal, in the form that it has for one. */
  async show(program: string, args: readonly string[]): Promise<number> {
    const child = this.#spawn(program, args, "inherit");
    child.stdin?.end();
    return within(ended(child), COMMAND_MS, `${program} ${args[0] ?? ""}`);
  }

  /** Starts a program that goes on running. @returns the first line it prints */
  async start(program: string, args: readonly string[]): Promise<string> {
    const child = this.#spawn(program, args);
    child.stdin?.end();
    const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
    const line = new Promise<string>((settle) => {
      child.stdout?.on("data", () => {
        const end = stdout().indexOf("\n");
        if (end !== -1) settle(stdout().slice(0, end));
      });
    });
    const died = ended(child).then((code): never => {
      throw new AigwError("failed", `A part of the demo ended too early (exit ${code}): ${stderr().trim()}`);
    });
    return within(Promise.race([line, died]), START_MS, "a part of the demo to start");
  }

  /** Ends everything that still runs, politely first. */
  async stopAll(): Promise<void> {
    await Promise.all(
      [...this.#running].reverse().map(async (child) => {
        const gone = ended(child);
        child.kill("SIGTERM");
        const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
        await gone.catch(() => undefined);
        clearTimeout(timer);
      }),
    );
  }

  #spawn(program: string, args: readonly string[], output: "pipe" | "inherit" = "pipe"): ChildProcess {
    // In a process group of its own: a Ctrl-C at the terminal is for the demo, which then ends its parts in order.
    const child = spawn(program, args, { env: this.#env, stdio: ["pipe", output, output], detached: true });
    child.stdin?.on("error", () => child.stdin?.destroy());
    this.#running.add(child);
    child.once("close", () => this.#running.delete(child));
    return child;
  }
}

const collect = (stream: NodeJS.ReadableStream | null): (() => string) => {
  let text = "";
  stream?.setEncoding("utf8");
  stream?.on("data", (chunk: string) => {
    text += chunk;
  });
  return () => text;
};

const ended = (child: ChildProcess): Promise<number> =>
  new Promise((settle, reject) => {
    child.once("error", (cause) => {
      reject(new AigwError("failed", `${child.spawnfile} could not be run.`, { cause }));
    });
    child.once("close", (code) => settle(code ?? 1));
  });

const within = async <T>(work: Promise<T>, ms: number, what: string): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new AigwError("failed", `Gave up after ${ms / 1000} s waiting for ${what}.`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
};
