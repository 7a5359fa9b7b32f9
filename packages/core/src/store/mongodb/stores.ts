import type {
  OpenedControl,
  OpenedStore,
  OpenStoreOptions,
  StoredNames,
  StoreLocation,
  StoreSeed,
  StoreState,
} from "../engine.ts";
import { connectMongo, type MongoConnection } from "./connection.ts";
import { controlCollections } from "./control-schema.ts";
import { createMongoStore, lookForStore } from "./create-mongo-store.ts";
import { parseMongoUrl } from "./location.ts";
import { MongoStore } from "./mongo-store.ts";
import { openMongoControl } from "./open-mongo-control.ts";
import { peekMongoNames } from "./peek-mongo-names.ts";

/** Whoever has looked opens or creates in the next moment. */
const KEPT_MS = 500;

/** Connections of those who have looked, by URL. */
const kept = new Map<string, { readonly connection: MongoConnection; readonly timer: NodeJS.Timeout }>();

export const stateOf = async (location: StoreLocation): Promise<StoreState> => {
  const connection = await take(location);
  try {
    const state = await lookForStore(controlCollections(connection.db));
    keep(location, connection);
    return state;
  } catch (error) {
    await connection.close();
    throw error;
  }
};

export const createStore = (location: StoreLocation, seed: StoreSeed): Promise<boolean> =>
  briefly(location, ({ db }) => createMongoStore(db, seed));

export const openStore = async (location: StoreLocation, { clock }: OpenStoreOptions): Promise<OpenedStore> =>
  MongoStore.open(await take(location), { clock });

export const openControl = async (location: StoreLocation): Promise<OpenedControl> => {
  const connection = await take(location);
  try {
    const control = await openMongoControl(connection.db);
    return { control, keyCheck: control.keyCheck, close: () => connection.close() };
  } catch (error) {
    await connection.close();
    throw error;
  }
};

export const peekNames = (location: StoreLocation, prefix: string, limit: number): Promise<StoredNames> =>
  briefly(location, ({ db }) => peekMongoNames(db, prefix, limit));

const briefly = async <T>(location: StoreLocation, work: (connection: MongoConnection) => Promise<T>): Promise<T> => {
  const connection = await take(location);
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
};

/** The one that was kept, or a new one: to be closed, or kept again. */
const take = async ({ url }: StoreLocation): Promise<MongoConnection> => {
  const there = kept.get(url);
  if (there === undefined) return connectMongo(parseMongoUrl(url));
  clearTimeout(there.timer);
  kept.delete(url);
  return there.connection;
};

/** For the next one; closed when nobody comes. */
const keep = ({ url }: StoreLocation, connection: MongoConnection): void => {
  const close = (): void => {
    if (kept.get(url)?.connection === connection) kept.delete(url);
    void connection.close();
  };
  if (kept.has(url)) close();
  else kept.set(url, { connection, timer: setTimeout(close, KEPT_MS) });
};
