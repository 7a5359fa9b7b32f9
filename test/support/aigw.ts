import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { TestContext } from "node:test";
import { GATEWAY_OPTIONS } from "../../packages/cli/src/app/gateway-options.ts";
import { dropStoreOf, storeUrlOf } from "./engine.ts";
import { within } from "./until.ts";

/** What Node runs the built command line with: the same files that are packed, which also start faster. */
export const AIGW: readonly string[] = [
  "--conditions=aigw-built",
  resolve(import.meta.dirname, "../../packages/cli/dist/main.js"),
];

type Owner = Pick<TestContext, "after">;

/** A folder of its own that is gone after the test; the home in it does not exist yet. */
export const temporaryHome = (t: Owner): string => {
  const folder = mkdtempSync(join(tmpdir(), "aigw-test-"));
  const home = join(folder, "home");
  // A gateway that is still to be stopped may write into it meanwhile.
  t.after(async () => {
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    await dropStoreOf(home);
  });
  return home;
};

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface AigwProcess {
  readonly child: ChildProcess;
  readonly done: Promise<Finished>;
}

/** Each test has a home of its own; what is compiled is the same for all. */
export const COMPILED: Readonly<Record<string, string>> =
  process.env["NODE_COMPILE_CACHE"] === undefined ? {} : { NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] };

/** Nothing of the developer's own environment gets in. */
export const cleanEnv = (home: string, extra: Record<string, string> = {}): NodeJS.ProcessEnv => ({
  PATH: process.env["PATH"],
  HOME: join(home, ".."),
  TMPDIR: tmpdir(),
  AIGW_HOME: home,
  AIGW_STORE: storeUrlOf(home),
  ...COMPILED,
  ...extra,
});

/** Starts the real command line as a process. */
export const spawnAigw = (
  home: string,
  args: readonly string[],
  options: {
    input?: string;
    env?: Record<string, string>;
    /** A program, with its arguments, that runs it: strace, say. */
    under?: readonly string[];
    /** Node's own. */
    flags?: readonly string[];
  } = {},
): AigwProcess => {
  const { under = [], flags = [] } = options;
  const [program = process.execPath, ...rest] = [...under, process.execPath, ...flags, ...AIGW, ...args];
  const child = spawn(program, rest, {
    env: cleanEnv(home, options.env),
    stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  child.stdin?.end(options.input);
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const done = new Promise<Finished>((settle, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => settle({ code, signal, stdout, stderr }));
  });
  return { child, done };
};

/** Runs one command to its end. */
export const aigw = (
  home: string,
  args: readonly string[],
  options: { input?: string; env?: Record<string, string> } = {},
): Promise<Finished> => {
  const { child, done } = spawnAigw(home, args, options);
  return within(`aigw ${args.join(" ")}`, done, 30_000).catch((error: unknown) => {
    child.kill("SIGKILL");
    throw error;
  });
};

/** Runs one command that must succeed. @returns its JSON document */
export const aigwJson = async <T>(
  home: string,
  args: readonly string[],
  options: { input?: string; env?: Record<string, string> } = {},
): Promise<T> => {
  const { code, stdout, stderr } = await aigw(home, [...args, "--json"], options);
  if (code !== 0) throw new Error(`aigw ${args.join(" ")} exited ${code}: ${stderr}`);
  return JSON.parse(stdout) as T;
};

export interface RunningGateway {
  readonly url: string;
  readonly id: string;
  readonly pid: number;
  readonly child: ChildProcess;
  readonly done: Promise<Finished>;
}

/**
 * `aigw serve` as a process, on a free port; stopped after the test at the latest. Unless NODE_OPTIONS is in `env`, it
 * begins with the options that it would start itself anew with.
 */
export const startGatewayProcess = async (
  t: Owner,
  home: string,
  args: readonly string[] = [],
  env: Record<string, string> = {},
  under: readonly string[] = [],
): Promise<RunningGateway> => {
  const flags = env["NODE_OPTIONS"] === undefined ? GATEWAY_OPTIONS : [];
  const { child, done } = spawnAigw(home, ["serve", "--port", "0", "--json", ...args], { env, under, flags });
  t.after(() => child.kill("SIGKILL"));
  let announced = "";
  const ready = new Promise<string>((settle) => {
    child.stdout?.on("data", (text: string) => {
      announced += text;
      if (announced.includes("\n")) settle(announced);
    });
  });
  const ended = done.then(({ code, stderr }) => {
    throw new Error(`aigw serve exited ${code}: ${stderr}`);
  });
  ended.catch(() => undefined);
  const { gateway } = JSON.parse(await within("aigw serve", Promise.race([ready, ended]), 15_000)) as {
    gateway: { id: string; url: string; pid: number };
  };
  return { ...gateway, child, done };
};
