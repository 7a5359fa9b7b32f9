import type { Candidate, Wanted } from "./candidate.ts";

/** No shell shows more in a useful way. */
const MOST = 500;

/** What the store and the settings know. @returns undefined for files, which the shell completes */
export const candidatesFor = async (
  wanted: Wanted,
  storeUrl: () => Promise<string>,
): Promise<readonly Candidate[] | undefined> => {
  switch (wanted.kind) {
    case "files":
      return undefined;
    case "nothing":
      return [];
    case "candidates":
      return wanted.candidates;
    case "settings": {
      const { SETTING_KEYS, SETTINGS } = await import("@aigw/core/config");
      return SETTING_KEYS.filter((key) => key.startsWith(wanted.prefix)).map((key) => ({
        value: key,
        about: SETTINGS[key].about,
      }));
    }
    case "clients":
    case "services": {
      const { peekNames } = await import("@aigw/core/store");
      const names = await peekNames(await storeUrl(), wanted.prefix, MOST);
      const named = names[wanted.kind].filter(isPlain).map((name) => ({ value: wanted.before + name }));
      return [...(wanted.beside ?? []), ...named];
    }
  }
};

/** Names are so by rule; whatever else a tampered store may hold must not reach a command line. */
const isPlain = (name: string): boolean => /^[a-z0-9][a-z0-9._-]*$/.test(name);
