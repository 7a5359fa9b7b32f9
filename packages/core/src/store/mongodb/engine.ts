import type { StoreEngine } from "../engine.ts";
import { parseMongoUrl } from "./location.ts";
import { backupElsewhere } from "./no-backup.ts";

/** On demand: it loads the driver. */
const stores = (): Promise<typeof import("./stores.ts")> => import("./stores.ts");

/** A store in one database of MongoDB. */
export const mongodbEngine: StoreEngine = {
  schemes: ["mongodb", "mongodb+srv"],
  parse: parseMongoUrl,
  state: async (location) => (await stores()).stateOf(location),
  create: async (location, seed) => (await stores()).createStore(location, seed),
  open: async (location, options) => (await stores()).openStore(location, options),
  openControl: async (location) => (await stores()).openControl(location),
  vacate: async () => {
    throw backupElsewhere();
  },
  restore: async () => {
    throw backupElsewhere();
  },
  importAll: async (location, source, options) =>
    (await import("./transfer/mongo-import.ts")).importStore(location, source, options),
  peekNames: async (location, prefix, limit) => (await stores()).peekNames(location, prefix, limit),
  privateParts: () => [],
};
