import { spawn } from "node:child_process";
import { join } from "node:path";
import { BENCH } from "./machine.ts";
import { adopt, LOAD_CORE } from "./processes.ts";

/** What a program of ours in `peers/` can be asked for. Inputs and answers travel as JSON. */
export type Acts = Readonly<Record<string, (input: never) => unknown>>;

interface Question {
  readonly id: number;
  readonly act: string;
  readonly input: unknown;
}

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** A process of ours: load, an upstream, or work that must not disturb who measures. */
export interface Peer<A extends Acts> {
  readonly pid: number;
  /** Rejects when the act throws, or the process ends before it answers. */
  ask<K extends keyof A & string>(act: K, ...input: Parameters<A[K]>): Promise<Awaited<ReturnType<A[K]>>>;
  stop(): Promise<void>;
}

/** @param script in `peers/`, such as `upstream.ts`, that calls {@link answer} */
export const startPeer = <A extends Acts>(script: string, core: string = LOAD_CORE): Peer<A> => {
  const args = ["-c", core, process.execPath, join(BENCH, "peers", script)];
  const child = spawn("taskset", args, { stdio: ["ignore", "pipe", "pipe", "ipc"] });
  const { pid, stop } = adopt(child, script);
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let asked = 0;
  child.on("message", ({ id, value, error }: Answer) => {
    const one = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) one?.resolve(value);
    else one?.reject(new Error(`${script}: ${error}`));
  });
  child.on("exit", () => {
    for (const { reject } of waiting.values()) reject(new Error(`${script} ended before it answered`));
    waiting.clear();
  });
  return {
    pid,
    stop,
    ask: <K extends keyof A & string>(act: K, ...[input]: Parameters<A[K]>) => {
      asked += 1;
      const one = Promise.withResolvers<unknown>();
      waiting.set(asked, one);
      const question: Question = { id: asked, act, input };
      child.send(question, (error) => error && one.reject(error));
      return one.promise as Promise<Awaited<ReturnType<A[K]>>>;
    },
  };
};

/** One act in a process of its own. */
export const askOnce = async <A extends Acts, K extends keyof A & string>(
  script: string,
  act: K,
  ...input: Parameters<A[K]>
): Promise<Awaited<ReturnType<A[K]>>> => {
  const peer = startPeer<A>(script);
  try {
    return await peer.ask(act, ...input);
  } finally {
    await peer.stop();
  }
};

/** The other side: answers until the bench is gone, and ends with it. */
export const answer = (acts: Acts): void => {
  process.on("disconnect", () => process.exit());
  process.on("message", ({ id, act, input }: Question) => {
    const work = async (): Promise<unknown> => acts[act]?.(input as never);
    work().then(
      (value) => process.send?.({ id, value } satisfies Answer),
      (error: unknown) =>
        process.send?.({ id, error: error instanceof Error ? (error.stack ?? "") : String(error) } satisfies Answer),
    );
  });
};
