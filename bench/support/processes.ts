import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";

/** The one under test has a core to itself; whoever asks and whoever answers share the other. */
export const GATEWAY_CORE = "1";
export const LOAD_CORE = "0";

export interface Pinned {
  readonly child: ChildProcess;
  readonly pid: number;
  /** What it has written to stdout so far. */
  readonly stdout: () => string;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

const running = new Set<Pinned>();
process.on("exit", () => {
  for (const { child } of running) child.kill("SIGKILL");
});

/** Whatever a row left running, also when it failed. */
export const stopAll = async (): Promise<void> => {
  await Promise.all([...running].map((pinned) => pinned.stop()));
};

/** @param core as `taskset -c` takes it, such as `1` or `0,1` */
export const startPinned = (
  core: string,
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Pinned =>
  adopt(spawn("taskset", ["-c", core, command, ...args], { env, stdio: ["ignore", "pipe", "pipe"] }), command);

/** Ends with the bench, whatever happens. @param name for the message when it ends by itself */
export const adopt = (child: ChildProcess, name: string): Pinned => {
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-4_000);
  });
  let stopping = false;
  const closed = new Promise<void>((done) => {
    // Not "close": a child of its own may hold the pipes open.
    child.on("exit", (code, signal) => {
      running.delete(pinned);
      if (!stopping) process.stderr.write(`${name} ended by itself (${code ?? signal}): ${stderr}\n`);
      done();
    });
  });
  const pinned: Pinned = {
    child,
    pid: child.pid ?? 0,
    stdout: () => stdout,
    stop: async (signal = "SIGTERM") => {
      stopping = true;
      child.kill(signal);
      const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
      await closed;
      clearTimeout(late);
    },
  };
  running.add(pinned);
  return pinned;
};

/** Runs a program to its end. @returns its stdout. @throws with its stderr when it fails */
export const run = (
  core: string,
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): string => {
  const done = spawnSync("taskset", ["-c", core, command, ...args], { env, encoding: "utf8", maxBuffer: 1 << 28 });
  if (done.status !== 0) throw new Error(`${command} ${args.join(" ")} failed: ${done.stderr}${done.error ?? ""}`);
  return done.stdout;
};

/** Polls until `check` says something truthy. */
export const until = async <T>(
  what: string,
  check: () => T | Promise<T>,
  timeoutMs = 20_000,
): Promise<NonNullable<T>> => {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (performance.now() > end) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await delay(10);
  }
};

/** Whether anybody answers there, with whatever status. */
export const answers = async (url: string, init?: RequestInit): Promise<boolean> => {
  try {
    await (await fetch(url, init)).arrayBuffer();
    return true;
  } catch {
    return false;
  }
};
