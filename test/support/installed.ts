import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { TestContext } from "node:test";
import { bearer, send, startEcho, tokenFor } from "./http.ts";
import { within } from "./until.ts";

type Owner = Pick<TestContext, "after">;

export interface Installed {
  /** What is called: a path, or `aigw` where `PATH` has it. */
  readonly aigw: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Runs a program to its end. @returns what it printed on stdout. @throws with all it printed when it fails */
export const printed = async (
  command: string,
  args: readonly string[],
  options: { env?: Readonly<Record<string, string | undefined>>; cwd?: string; timeoutMs?: number } = {},
): Promise<string> => {
  const { env = process.env, cwd, timeoutMs = 100_000 } = options;
  const child = spawn(command, args, { env, cwd, stdio: ["ignore", "pipe", "pipe"] });
  const text = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (part: string) => {
      text[name] += part;
    });
  }
  const done = new Promise<number | null>((settle, reject) => {
    child.once("error", reject);
    child.once("close", settle);
  });
  const what = `${command} ${args.join(" ")}`;
  const code = await within(what, done, timeoutMs).catch((error: unknown) => {
    child.kill("SIGKILL");
    throw error;
  });
  assert.equal(code, 0, `${what}\n${text.stdout}${text.stderr}`);
  return text.stdout;
};

/** A gateway with a service and a client, a token, a call, and the end: everything that an installation has to bring. */
export const tryInstalled = async (t: Owner, { aigw, env }: Installed): Promise<void> => {
  const run = (...args: readonly string[]): Promise<string> => printed(aigw, args, { env });
  assert.match(await run("--version"), /^\d+\.\d+\.\d+\n$/);
  await run("init", "--no-input");
  const echo = await startEcho(t);
  await run("service", "add", "echo", echo.url);
  const password = (await run("client", "add", "john", "-q")).trim();
  const gateway = spawn(aigw, ["serve", "--port", "0", "-q"], { env, stdio: ["ignore", "pipe", "ignore"] });
  t.after(() => gateway.kill("SIGKILL"));
  const url = await within(
    "the gateway",
    new Promise<string>((settle) => gateway.stdout.once("data", (text: Buffer) => settle(text.toString().trim()))),
    20_000,
  );
  const token = await tokenFor(url, "john", password);
  assert.equal((await send(`${url}/api/echo`, { headers: bearer(token) })).status, 200);
  const ended = new Promise<number | null>((settle) => gateway.once("exit", settle));
  gateway.kill("SIGTERM");
  assert.equal(await within("the gateway to end", ended), 0);
};
