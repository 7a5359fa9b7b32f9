import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { within } from "../../support/until.ts";
import type { Run } from "../row.ts";
import type { Answered, Guesses } from "./guesser.ts";
import { startPeer } from "./peer.ts";

/** Runs a program to its end. @returns what it printed */
const output = (run: Run, program: string, args: readonly string[], patienceMs: number): Promise<string> => {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  run.after(() => child.kill("SIGKILL"));
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  const ended = new Promise<string>((settle, reject) => {
    child.on("error", reject);
    child.on("close", (code) => (code === 0 ? settle(text) : reject(new Error(`${program} exited ${code}`))));
  });
  return within(program, ended, patienceMs);
};

/** Guesses passwords, from a process of its own. */
export const guessFrom = async (run: Run, guesses: Guesses): Promise<Answered> => {
  const script = join(import.meta.dirname, "guesser.ts");
  return JSON.parse(await output(run, process.execPath, [script, JSON.stringify(guesses)], 240_000)) as Answered;
};

export interface Flood {
  readonly path: string;
  readonly fields?: Readonly<Record<string, string>>;
}

/** As many requests as 100 connections bring, from a process of its own. @returns how many were answered in a second */
export const flood = async (run: Run, url: string, { path, fields = {} }: Flood, seconds: number): Promise<number> => {
  const folder = mkdtempSync(join(tmpdir(), "aigw-flood-"));
  run.after(() => rmSync(folder, { recursive: true, force: true }));
  const script = join(folder, "flood.lua");
  const lines = Object.entries(fields).map(([name, value]) => `wrk.headers["${name}"] = "${value}"`);
  writeFileSync(script, [`wrk.path = "${path}"`, ...lines].join("\n"));
  const args = ["-t1", "-c100", `-d${seconds}s`, "-s", script, url];
  const [, rate] = /Requests\/sec: +([0-9.]+)/.exec(await output(run, "wrk", args, 60_000)) ?? [];
  return Number(rate);
};

export interface Bare {
  readonly url: string;
  readonly pid: number;
}

/** `bare-server.ts` as a process. */
export const startBareServer = async (run: Run): Promise<Bare> => {
  const { url, child } = await startPeer(run, "bare-server.ts");
  return { url, pid: child.pid ?? 0 };
};
