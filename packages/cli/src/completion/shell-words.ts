/** A word of a command line that is being typed. */
export interface ShellWord {
  /** Without its quotes. Nothing in it is expanded: no variable, no command. */
  readonly text: string;
  /** How much of `text` bash takes for words of their own, because they end in one of its word breaks. */
  readonly brokenOff: number;
}

/**
 * Splits what stands before the cursor as bash would; the last word is the one being typed, empty behind a space.
 * @param breaks COMP_WORDBREAKS: bash replaces only what follows the last of these
 */
export const splitLine = (line: string, breaks: string): readonly ShellWord[] => {
  const words: ShellWord[] = [];
  let text = "";
  let brokenOff = 0;
  let isWord = false;
  let quote: string | undefined;
  for (let at = 0; at < line.length; at += 1) {
    const character = line.charAt(at);
    if (quote === undefined && /\s/.test(character)) {
      if (isWord) words.push({ text, brokenOff });
      [text, brokenOff, isWord] = ["", 0, false];
      continue;
    }
    isWord = true;
    if (character === "\\" && quote !== "'") {
      at += 1;
      text += line.charAt(at);
    } else if (character === quote) {
      quote = undefined;
    } else if (quote === undefined && (character === '"' || character === "'")) {
      quote = character;
    } else {
      text += character;
      if (quote === undefined && (character === "=" || character === ":") && breaks.includes(character)) {
        brokenOff = text.length;
      }
    }
  }
  return [...words, { text, brokenOff }];
};
