import { invalidStoreUrl, type StoreEngine, type StoreLocation } from "./engine.ts";

interface Entry {
  readonly schemes: readonly string[];
  /** On this machine, with one writer at a time. */
  readonly isEmbedded: boolean;
  /** On demand, so that whoever uses one engine does not pay for the other. */
  readonly load: () => Promise<StoreEngine>;
}

/** A further engine is a folder here and a line. */
const ENGINES: readonly Entry[] = [
  { schemes: ["sqlite"], isEmbedded: true, load: async () => (await import("./sqlite/engine.ts")).sqliteEngine },
  {
    schemes: ["mongodb", "mongodb+srv"],
    isEmbedded: false,
    load: async () => (await import("./mongodb/engine.ts")).mongodbEngine,
  },
];

/** An engine and a place that it can have a store at. */
export interface StorePlace {
  readonly engine: StoreEngine;
  readonly location: StoreLocation;
}

/**
 * `sqlite:<path>`, where a relative path is taken from the working directory, or `mongodb://…`. Touches no store.
 * @throws AigwError `invalid_value`; a URL may hold a password, so it is not repeated
 */
export const locateStore = async (url: string): Promise<StorePlace> => {
  const entry = entryOf(url);
  if (entry === undefined) throw invalidStoreUrl(schemeOf(url));
  const engine = await entry.load();
  return { engine, location: engine.parse(url) };
};

/** Whether a store URL is that of files on this machine, not of a server that others share. Loads no engine. */
export const isEmbedded = (url: string): boolean => entryOf(url)?.isEmbedded === true;

const schemeOf = (url: string): string | undefined => /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();

const entryOf = (url: string): Entry | undefined => {
  const scheme = schemeOf(url);
  return ENGINES.find(({ schemes }) => scheme !== undefined && schemes.includes(scheme));
};
