const INVISIBLE = /\p{Mn}|\p{Me}|\p{Cf}/u;
const WIDE =
  /\p{Emoji_Presentation}|\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|[\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]/u;

const widthOfCharacter = (character: string): number => {
  if (INVISIBLE.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
};

/** Columns that the text takes on a terminal; close enough for laying out tables. */
export const displayWidth = (text: string): number => {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += widthOfCharacter(character);
  return width;
};

/** Cut to `max` columns, the last of which says so. */
export const truncate = (text: string, max: number): string => {
  if (displayWidth(text) <= max) return text;
  let kept = "";
  let width = 0;
  for (const character of text) {
    width += widthOfCharacter(character);
    if (width > max - 1) break;
    kept += character;
  }
  return `${kept}…`;
};

export const padEnd = (text: string, width: number): string =>
  text + " ".repeat(Math.max(0, width - displayWidth(text)));
export const padStart = (text: string, width: number): string =>
  " ".repeat(Math.max(0, width - displayWidth(text))) + text;
