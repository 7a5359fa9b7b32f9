import { systemClock } from "../../clock.ts";
import type { StoreEngine } from "../engine.ts";
import { parseMongoUrl } from "./location.ts";

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
  // What an import that was cut off has left has a mark of its own.
  vacate: async (location) => (await import("./transfer/mongo-import.ts")).assertVacantAt(location),
  async restore(location, file, options) {
    const { restoreByCopy } = await import("../../transfer/backup-by-copy.ts");
    return restoreByCopy({ engine: mongodbEngine, location }, file, options, systemClock);
  },
  importAll: async (location, source, options) =>
    (await import("./transfer/mongo-import.ts")).importStore(location, source, options),
  peekNames: async (location, prefix, limit) => (await stores()).peekNames(location, prefix, limit),
  privateParts: () => [],
};
