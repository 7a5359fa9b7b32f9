import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { within } from "../../support/until.ts";
import type { Run } from "../row.ts";

export interface Peer {
  readonly url: string;
  readonly child: ChildProcess;
}

/** A script of this folder as a process that prints its port: what it does takes nothing from whoever measures. */
export const startPeer = async (run: Run, script: string, ...args: readonly string[]): Promise<Peer> => {
  const child = spawn(process.execPath, [join(import.meta.dirname, script), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  run.after(() => child.kill("SIGKILL"));
  const port = await within(script, new Promise((ready) => child.stdout.once("data", ready)), 15_000);
  return { url: `http://127.0.0.1:${String(port).trim()}`, child };
};
