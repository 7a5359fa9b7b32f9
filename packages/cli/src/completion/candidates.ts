import type { StoredNames } from "@aigw/core/store";
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
    case "settings":
      return settings("", wanted.prefix);
    case "values": {
      const { SETTINGS } = await import("@aigw/core/config");
      const { values = [] } = Object.entries(SETTINGS).find(([key]) => key === wanted.key)?.[1] ?? {};
      return values.filter((value) => value.startsWith(wanted.prefix)).map((value) => ({ value }));
    }
    case "subjects": {
      const names = await peek(storeUrl, wanted.prefix);
      const named = [...new Set([...names.clients, ...names.services, ...names.plans])].filter(isPlain);
      return [
        ...named.map((name) => ({ value: wanted.before + name })),
        ...(await settings(wanted.before, wanted.prefix)),
      ];
    }
    case "clients":
    case "services":
    case "plans": {
      const names = await peek(storeUrl, wanted.prefix);
      const named = names[wanted.kind].filter(isPlain).map((name) => ({ value: wanted.before + name }));
      return [...(wanted.beside ?? []), ...named];
    }
  }
};

const peek = async (storeUrl: () => Promise<string>, prefix: string): Promise<StoredNames> => {
  const { peekNames } = await import("@aigw/core/store");
  return peekNames(await storeUrl(), prefix, MOST);
};

const settings = async (before: string, prefix: string): Promise<readonly Candidate[]> => {
  const { SETTING_KEYS, SETTINGS } = await import("@aigw/core/config");
  return SETTING_KEYS.filter((key) => key.startsWith(prefix)).map((key) => ({
    value: before + key,
    about: SETTINGS[key].about,
  }));
};

/** Names are so by rule; whatever else a tampered store may hold must not reach a command line. */
const isPlain = (name: string): boolean => /^[a-z0-9][a-z0-9._-]*$/.test(name);
