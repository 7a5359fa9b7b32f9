import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import type { TestContext } from "node:test";
import { within } from "./until.ts";

const SCRIPT = resolve(import.meta.dirname, "lock-holder.ts");

/** Another process holds the database's write lock. @returns lets it go */
export const lockDatabase = async (
  t: Pick<TestContext, "after">,
  path: string,
  begin: "BEGIN IMMEDIATE" | "BEGIN EXCLUSIVE" = "BEGIN IMMEDIATE",
): Promise<() => Promise<void>> => {
  const child = spawn(process.execPath, [SCRIPT, path, begin], { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const ended = once(child, "exit");
  await within("the lock", Promise.race([once(child.stdout, "data"), ended.then(() => Promise.reject(new Error()))]));
  return async () => {
    child.stdin.end();
    await within("the lock to be released", ended);
  };
};
