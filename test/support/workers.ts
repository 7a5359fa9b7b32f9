import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import type { TestContext } from "node:test";
import { GATEWAY_OPTIONS } from "../../packages/cli/src/app/gateway-options.ts";
import { AIGW, type AigwProcess, cleanEnv, type Finished } from "./aigw.ts";
import { within } from "./until.ts";

type Owner = Pick<TestContext, "after">;

export interface Workers extends AigwProcess {
  readonly url: string;
  readonly adminUrl?: string;
  /** Of the primary, which leads the process group that all of them are in. */
  readonly pid: number;
  readonly workers: readonly { readonly worker: number; readonly id: string; readonly pid: number }[];
  /** What they have logged so far. */
  log(): readonly LogLine[];
  /** As a terminal does it: to the primary and all workers. */
  signalAll(signal: NodeJS.Signals): void;
}

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly worker: number | "primary";
  readonly instance?: string;
  readonly pid?: number;
  readonly restartInMs?: number;
  readonly code?: string;
}

/** `aigw serve --workers` in a process group of its own, which is gone after the test. For NODE_OPTIONS see aigw.ts. */
export const spawnWorkers = (
  t: Owner,
  home: string,
  args: readonly string[],
  env: Record<string, string> = {},
): AigwProcess & Pick<Workers, "log" | "signalAll" | "pid"> => {
  const flags = env["NODE_OPTIONS"] === undefined ? GATEWAY_OPTIONS : [];
  const child = spawn(process.execPath, [...flags, ...AIGW, "serve", "--json", ...args], {
    env: cleanEnv(home, env),
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const pid = child.pid ?? 0;
  const signalAll = (signal: NodeJS.Signals): void => {
    if (isGroupAlive(pid)) process.kill(-pid, signal);
  };
  t.after(() => signalAll("SIGKILL"));
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const done = new Promise<Finished>((settle, reject) => {
    child.on("error", reject);
    // Which waits for whoever shares the log's pipe: the workers.
    child.on("close", (code, signal) => settle({ code, signal, stdout, stderr }));
  });
  const log = (): readonly LogLine[] =>
    stderr
      .split("\n")
      .slice(0, -1)
      .filter((line) => line.startsWith('{"level"'))
      .map((line) => JSON.parse(line) as LogLine);
  return { child, done, pid, log, signalAll };
};

/** The same, once all of them listen. */
export const startWorkers = async (
  t: Owner,
  home: string,
  workers: number,
  args: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<Workers> => {
  const spawned = spawnWorkers(t, home, ["--workers", String(workers), "--port", "0", ...args], env);
  let announced = "";
  const ready = new Promise<string>((settle) => {
    spawned.child.stdout?.on("data", (text: string) => {
      announced += text;
      if (announced.includes("\n")) settle(announced);
    });
  });
  const ended = spawned.done.then(({ code, stderr }) => {
    throw new Error(`aigw serve exited ${code}: ${stderr}`);
  });
  ended.catch(() => undefined);
  const { gateway } = JSON.parse(await within("aigw serve --workers", Promise.race([ready, ended]), 15_000)) as {
    gateway: Pick<Workers, "url" | "adminUrl" | "pid" | "workers">;
  };
  return { ...spawned, ...gateway };
};

/** Nobody may have taken notice of its end yet. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return process.platform !== "linux";
  }
};

const isGroupAlive = (pid: number): boolean => {
  try {
    process.kill(-pid, 0);
    return true;
  } catch {
    return false;
  }
};
