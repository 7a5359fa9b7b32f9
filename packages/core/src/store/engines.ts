import { AigwError } from "../errors.ts";
import { invalidStoreUrl, type StoreEngine, type StoreLocation } from "./engine.ts";

interface Entry {
  readonly schemes: readonly string[];
  /** On demand, so that whoever uses one engine does not pay for the other. Absent: not in this build. */
  readonly load?: () => Promise<StoreEngine>;
}

/** A further engine is a folder here and a line. */
const ENGINES: readonly Entry[] = [
  { schemes: ["sqlite"], load: async () => (await import("./sqlite/engine.ts")).sqliteEngine },
  // load: async () => (await import("./mongodb/engine.ts")).mongodbEngine
  { schemes: ["mongodb", "mongodb+srv"] },
];

/** An engine and a place that it can have a store at. */
export interface StorePlace {
  readonly engine: StoreEngine;
  readonly location: StoreLocation;
}

/**
 * `sqlite:<path>`; a relative path is taken from the working directory. Touches no store.
 * @throws AigwError `invalid_value`, `store_unsupported`; a URL may hold a password, so neither repeats it
 */
export const locateStore = async (url: string): Promise<StorePlace> => {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  const entry = ENGINES.find(({ schemes }) => scheme !== undefined && schemes.includes(scheme));
  if (entry === undefined) throw invalidStoreUrl(scheme);
  if (entry.load === undefined) {
    throw new AigwError("store_unsupported", "This build has the embedded store only. Use sqlite:<path> as the store.");
  }
  const engine = await entry.load();
  return { engine, location: engine.parse(url) };
};
