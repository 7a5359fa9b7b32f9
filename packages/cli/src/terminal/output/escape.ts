/**
 * What a terminal could take for a command, or what turns the direction of text around: C0, DEL, C1, line and paragraph
 * separators, bidirectional controls.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

const spelledOut = (character: string): string => {
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
};

/** Text on one line that is safe to show, whatever was stored. */
export const escapeText = (text: string): string => text.replace(UNSAFE, spelledOut);

/** The same for text of several lines. */
export const escapeLines = (text: string): string => text.split("\n").map(escapeText).join("\n");

/** JSON that is safe to show: the same value, with more of its characters escaped than JSON asks for. */
export const safeJson = (value: unknown, indent?: number): string =>
  JSON.stringify(value, undefined, indent).replace(UNSAFE, (character) =>
    // JSON.stringify has escaped line breaks inside strings; what is left between them is its own indentation.
    character === "\n" ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
