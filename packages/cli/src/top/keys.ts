import type { InputStream } from "../terminal/io.ts";

const CTRL_C = "\x03";
const CTRL_D = "\x04";

/**
 * Hands over keys as they are pressed, without Enter and without showing them. Ctrl-C is a key, too, then.
 * @returns gives the terminal back
 */
export const readKeys = (stdin: InputStream, onKey: (key: string) => void): (() => void) => {
  const onData = (data: Buffer | string): void => {
    for (const key of data.toString()) onKey(key);
  };
  stdin.setRawMode?.(true);
  stdin.on("data", onData);
  stdin.resume();
  return () => {
    stdin.off("data", onData);
    stdin.setRawMode?.(false);
    stdin.pause();
  };
};

export const quits = (key: string): boolean => key === "q" || key === "Q" || key === CTRL_C || key === CTRL_D;
