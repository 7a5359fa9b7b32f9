import { Chalk } from "chalk";

export type Tone = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";
export type Style = Readonly<Record<Tone, (text: string) => string>>;

/** The sixteen colours that every terminal has in its own palette. */
export const colourStyle = (): Style => {
  const chalk = new Chalk({ level: 1 });
  return {
    bold: (text) => chalk.bold(text),
    dim: (text) => chalk.dim(text),
    red: (text) => chalk.red(text),
    green: (text) => chalk.green(text),
    yellow: (text) => chalk.yellow(text),
    cyan: (text) => chalk.cyan(text),
  };
};
