/** Something that no client may learn. */
export interface Forbidden {
  /** For the error, such as `the upstream URL of ocr`. */
  readonly what: string;
  readonly value: string;
}

/** Shorter values turn up in any text. */
const SHORTEST = 6;

/** @returns the first forbidden thing that stands in the text */
export const leakIn = (text: string, forbidden: readonly Forbidden[]): Forbidden | undefined =>
  forbidden.find(({ value }) => value.length >= SHORTEST && standsIn(text, value));

/** Whole words, in any case: `mary` stands in `Hi Mary,` and not in `summary`. */
export const namesStandingIn = (text: string, names: readonly string[]): readonly string[] =>
  names.filter((name) => standsIn(text.toLowerCase(), name.toLowerCase()));

/** `http://10.0.0.1:80` does not stand in `http://10.0.0.1:8080`. */
const standsIn = (text: string, value: string): boolean => {
  const inWord = (character: string): boolean => /[\p{L}\p{N}_]/u.test(character);
  for (let at = text.indexOf(value); at !== -1; at = text.indexOf(value, at + 1)) {
    const before = text.charAt(at - 1);
    const after = text.charAt(at + value.length);
    if (!(inWord(before) && inWord(value.charAt(0))) && !(inWord(after) && inWord(value.charAt(value.length - 1))))
      return true;
  }
  return false;
};
