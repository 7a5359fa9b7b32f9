import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { GATEWAY_CORE, LOAD_CORE, type Pinned, run, startPinned, until } from "./processes.ts";

const MAIN = resolve(import.meta.dirname, "../../packages/cli/dist/main.js");
/** The packed form, which is what users run. */
export const AIGW: readonly string[] = ["--conditions=aigw-built", MAIN];

const folders = new Set<string>();
process.on("exit", () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder that is gone when the bench ends. */
export const temporaryFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "aigw-bench-"));
  folders.add(folder);
  return folder;
};

export const cleanEnv = (home: string): NodeJS.ProcessEnv => ({
  PATH: process.env["PATH"],
  HOME: join(home, ".."),
  AIGW_HOME: home,
});

export const aigw = (home: string, ...args: readonly string[]): string =>
  run(LOAD_CORE, process.execPath, [...AIGW, ...args], cleanEnv(home));

/** The same, while others go on. */
export const aigwAside = async (home: string, ...args: readonly string[]): Promise<string> => {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const all = ["-c", LOAD_CORE, process.execPath, ...AIGW, ...args];
  execFile("taskset", all, { env: cleanEnv(home), maxBuffer: 1 << 28 }, (error, stdout) =>
    error === null ? resolve(stdout) : reject(error),
  );
  return promise;
};

/** No limit that a test could reach. */
export const NO_LIMIT = 10_000_000;

/** A home with the service `echo` in it. */
export const prepareHome = (upstream: string): string => {
  const home = join(temporaryFolder(), "home");
  aigw(home, "init", "-q");
  aigw(home, "service", "add", "echo", upstream);
  return home;
};

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export const addClient = (home: string, name: string, limit: number = NO_LIMIT): Credentials => {
  const password = aigw(home, "client", "add", name, "--limit", String(limit), "-q").trim();
  return { username: name, password };
};

export interface Gateway extends Pinned {
  readonly url: string;
}

export const startGateway = async (
  home: string,
  args: readonly string[] = [],
  core = GATEWAY_CORE,
  nodeFlags: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<Gateway> => {
  const all = [...nodeFlags, ...AIGW, "serve", "--port", "0", "-q", ...args];
  const pinned = startPinned(core, process.execPath, all, { ...cleanEnv(home), ...env });
  const url = await until("the gateway's URL", () => /^http\S+(?=\n)/.exec(pinned.stdout())?.[0]);
  return { ...pinned, url };
};

export const tokenFor = async (url: string, credentials: Credentials): Promise<string> => {
  const answer = await fetch(`${url}/auth/token`, { method: "POST", body: new URLSearchParams({ ...credentials }) });
  const { access_token: token } = (await answer.json()) as { access_token?: string };
  if (token === undefined) throw new Error(`no token for ${credentials.username}: ${answer.status}`);
  return token;
};
