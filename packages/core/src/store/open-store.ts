import type { OpenedControl, OpenedStore, OpenStoreOptions, StoredNames, StoreSeed } from "./engine.ts";
import { locateStore } from "./engines.ts";

// The engines' methods by URL, for whoever needs one of them; what each does and throws is said in engine.ts.

/** Opens an existing store; never creates one. @throws AigwError as {@link locateStore}, `insecure_permissions`, `store_*` */
export const openStore = async (url: string, options: OpenStoreOptions): Promise<OpenedStore> => {
  const { engine, location } = await locateStore(url);
  return engine.open(location, options);
};

/** {@link openStore} without usage, permits and instances. */
export const openControl = async (url: string, options: OpenStoreOptions): Promise<OpenedControl> => {
  const { engine, location } = await locateStore(url);
  return engine.openControl(location, options);
};

/** @returns false when there is a store already; it is left as it is */
export const createStore = async (url: string, seed: StoreSeed): Promise<boolean> => {
  const { engine, location } = await locateStore(url);
  return engine.create(location, seed);
};

/** @throws AigwError as {@link locateStore}, `insecure_permissions`, `store_*` */
export const peekNames = async (url: string, prefix: string, limit: number): Promise<StoredNames> => {
  const { engine, location } = await locateStore(url);
  return engine.peekNames(location, prefix, limit);
};
