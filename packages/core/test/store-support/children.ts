import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { execPath, stdin, stdout } from "node:process";

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

export interface Child {
  readonly process: ChildProcess;
  /** Resolves when the child has printed so much; rejects when it ends before. */
  printed(characters: number): Promise<void>;
  readonly exit: Promise<Exit>;
}

const LONGEST_MS = 60_000;

/** Starts a script with the Node.js of this process; killed after a minute at the latest. */
export const startChild = (script: string, args: readonly string[], wrapper: readonly string[] = []): Child => {
  const [command = execPath, ...rest] = [...wrapper, execPath, script, ...args];
  const child = spawn(command, rest, { stdio: ["pipe", "pipe", "pipe"], timeout: LONGEST_MS, killSignal: "SIGKILL" });
  let out = "";
  let err = "";
  const waiting = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    for (const look of waiting) look();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  const exit = once(child, "close").then(([code, signal]): Exit => ({ code, signal, out, err }));
  const printed = (characters: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (out.length < characters) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
      exit.then(() => reject(new Error(`the child ended early: ${err}`)), reject);
    });
  return { process: child, printed, exit };
};

/** Starts the same script with each list of arguments, and lets all of them go at once when all are up. */
export const runTogether = async (script: string, lists: readonly (readonly string[])[]): Promise<readonly Exit[]> => {
  const children = lists.map((args) => startChild(script, args));
  await Promise.all(children.map((child) => child.printed(READY.length)));
  for (const child of children) child.process.stdin?.end("go\n");
  const exits = await Promise.all(children.map((child) => child.exit));
  return exits.map((exit) => ({ ...exit, out: exit.out.slice(READY.length) }));
};

/** What a child of {@link runTogether} prints first. */
export const READY = "ready\n";

/** For the child: says that it is up and waits for the others. */
export const startingGun = async (): Promise<void> => {
  stdout.write(READY);
  await once(stdin, "data");
  stdin.destroy();
};

export const runChild = (script: string, args: readonly string[], wrapper: readonly string[] = []): Promise<Exit> =>
  startChild(script, args, wrapper).exit;
