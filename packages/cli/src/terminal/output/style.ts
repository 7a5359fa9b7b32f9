import { Chalk } from "chalk";

export type Tone = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";
export type Style = Readonly<Record<Tone, (text: string) => string>>;

/**
 * Of the 256 those that have a contrast of 3 : 1 at least (WCAG 2.2, 1.4.11) on white and on black, and on what the usual
 * light and dark themes have behind text. A palette's own yellow on white has 1.7 : 1.
 */
export const READABLE = { red: 196, green: 28, yellow: 130, cyan: 31 } as const;

/** @param palette how many colours the terminal has; with 16, they are what its owner made of them */
export const colourStyle = (palette: 16 | 256): Style => {
  const chalk = new Chalk({ level: palette === 256 ? 2 : 1 });
  const tone =
    (name: keyof typeof READABLE) =>
    (text: string): string =>
      palette === 256 ? chalk.ansi256(READABLE[name])(text) : chalk[name](text);
  return {
    bold: (text) => chalk.bold(text),
    dim: (text) => chalk.dim(text),
    red: tone("red"),
    green: tone("green"),
    yellow: tone("yellow"),
    cyan: tone("cyan"),
  };
};
