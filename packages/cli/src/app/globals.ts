import type { Command } from "commander";

/** Options that every command takes, before or after its name. */
export interface Globals {
  readonly store?: string;
  readonly home?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly yes?: boolean;
  readonly input: boolean;
  readonly color: boolean;
}

export const addGlobalOptions = (program: Command): Command =>
  program
    .option("--store <url>", "the store, sqlite:<path> or mongodb://…; else AIGW_STORE, else the file in the home")
    .option("--home <dir>", "the data folder; else AIGW_HOME, else ~/.local/share/aigw")
    .option("--json", "answer in JSON; errors too, on stderr")
    .option("-q, --quiet", "print only the one thing a script wants")
    .option("-y, --yes", "do not ask before something destructive")
    .option("--no-input", "never ask; a missing argument is an error")
    .option("--no-color", "no colour; NO_COLOR does the same");

/**
 * What can be told of the global options when parsing failed: errors must come in the form that was asked for.
 * The value of another option may look like one of these; such a call is refused for other reasons.
 */
export const guessGlobals = (argv: readonly string[]): Required<Pick<Globals, "json" | "color" | "input">> => {
  const end = argv.indexOf("--");
  const options = end === -1 ? argv : argv.slice(0, end);
  return {
    json: options.includes("--json"),
    color: !options.includes("--no-color"),
    input: !options.includes("--no-input"),
  };
};
