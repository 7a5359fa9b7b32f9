/**
 * A command's words as bash makes them, for a command that is nothing but a program with its arguments.
 * @returns undefined for anything that bash would do more with: variables, substitutions, pipes, a second command
 */
export const wordsOf = (command: string): readonly string[] | undefined => {
  const words: string[] = [];
  let rest = command.replaceAll("\\\n", " ").trim();
  while (rest !== "") {
    const word = WORD.exec(rest)?.[0];
    if (word === undefined) return undefined;
    words.push(word.replace(PART, unquoted));
    rest = rest.slice(word.length);
    if (rest !== "" && !/^[ \t]/.test(rest)) return undefined;
    rest = rest.replace(/^[ \t]+/, "");
  }
  return words;
};

/** Bare characters that mean nothing to bash, `'…'`, `"…"` without `$`, backtick and `!`, or a quote after a backslash. */
const WORD = /^(?:[A-Za-z0-9_@%+=:,./-]|'[^']*'|"(?:[^"\\$`!]|\\["\\])*"|\\['"])+/;
const PART = /'([^']*)'|"((?:[^"\\]|\\["\\])*)"|\\(['"])/g;

const unquoted = (_: string, single?: string, double?: string, character?: string): string =>
  single ?? double?.replace(/\\(["\\])/g, "$1") ?? character ?? "";
