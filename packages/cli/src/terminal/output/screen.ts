import { columnsOf, type OutputStream } from "../io.ts";

const ENTER = "\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const CLEAR_LINE_END = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

/** The terminal's other screen: what stood on the first one stands there again afterwards, cursor and all. */
export interface Screen {
  readonly width: number;
  readonly height: number;
  /** Lines must be no wider than the screen; those below its end are left out. */
  draw(lines: readonly string[]): void;
  leave(): void;
}

export const enterScreen = (stream: OutputStream): Screen => {
  stream.write(ENTER);
  // Should the process end in any other way than by leave(), this still comes before the shell's prompt.
  const restore = (): void => void stream.write(LEAVE);
  process.once("exit", restore);
  return {
    get width() {
      return columnsOf(stream);
    },
    get height() {
      return stream.rows || 24;
    },
    draw(lines) {
      // Over what is there, not after clearing: nothing flickers.
      const shown = lines.slice(0, this.height).map((line) => `${line}${CLEAR_LINE_END}`);
      stream.write(`${HOME}${shown.join("\r\n")}${CLEAR_BELOW}`);
    },
    leave() {
      process.off("exit", restore);
      restore();
    },
  };
};
