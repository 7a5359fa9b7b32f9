import { invalidStoreUrl, type StoreEngine, type StoreLocation } from "./engine.ts";

interface Entry {
  readonly schemes: readonly string[];
  /** On demand, so that whoever uses one engine does not pay for the other. */
  readonly load: () => Promise<StoreEngine>;
}

/** A further engine is a folder here and a line. */
const ENGINES: readonly Entry[] = [
  { schemes: ["sqlite"], load: async () => (await import("./sqlite/engine.ts")).sqliteEngine },
  { schemes: ["mongodb", "mongodb+srv"], load: async () => (await import("./mongodb/engine.ts")).mongodbEngine },
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
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  const entry = ENGINES.find(({ schemes }) => scheme !== undefined && schemes.includes(scheme));
  if (entry === undefined) throw invalidStoreUrl(scheme);
  const engine = await entry.load();
  return { engine, location: engine.parse(url) };
};
