import type { Readable, Writable } from "node:stream";
import type { Clock } from "@aigw/core";
import type { Prompter } from "./prompter.ts";

export type StopSignal = "SIGINT" | "SIGTERM";

export type InputStream = Readable & { readonly isTTY?: boolean; setRawMode?(on: boolean): unknown };
export type OutputStream = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };

/** A terminal that does not know its width, or says 0, counts as one of 80. */
export const columnsOf = ({ columns }: Pick<OutputStream, "columns">): number => columns || 80;

/** The world outside as the command line sees it. Tests hand in their own. */
export interface Io {
  readonly stdin: InputStream;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** The system's unless given. */
  readonly clock?: Clock;
  readonly prompter: Prompter;
  /** While a listener is registered, a stop signal goes to it instead of ending the process. @returns how to take it back */
  onStop(listener: (signal: StopSignal) => void): () => void;
  /**
   * Runs another program on the same terminal and waits for its end; absent where there is none to hand over.
   * @param command for the shell, such as `less -S`; `args` are taken as they are, `input` is what it reads
   * @returns its exit code; undefined when it could not be run
   */
  handOver?(
    command: string,
    run: { readonly args?: readonly string[]; readonly input?: string; readonly env: Io["env"] },
  ): Promise<number | undefined>;
  /** SIGHUP, by custom a daemon's request to read its files again. @returns how to take it back */
  onReload?(listener: () => void): () => void;
}
