import { columnsOf, type OutputStream } from "../io.ts";
import { escapeText } from "./escape.ts";
import { truncate } from "./width.ts";

export interface Progress {
  /** @param what the thing at hand, such as a client's name */
  show(done: number, what: string): void;
  /** Takes the bar away again. */
  clear(): void;
}

const BAR = 20;
const NOTHING: Progress = { show: () => undefined, clear: () => undefined };

/** A bar on the last line of a terminal; nothing at all elsewhere, or when it was asked to be quiet. */
export const progressOn = (stream: OutputStream, total: number, quiet: boolean): Progress => {
  if (stream.isTTY !== true || quiet || total < 2) return NOTHING;
  return {
    show(done, what) {
      const filled = Math.round((BAR * done) / total);
      const line = `[${"#".repeat(filled)}${".".repeat(BAR - filled)}] ${done}/${total} ${escapeText(what)}`;
      stream.write(`\r\x1b[K${truncate(line, columnsOf(stream) - 1)}`);
    },
    clear: () => void stream.write("\r\x1b[K"),
  };
};
