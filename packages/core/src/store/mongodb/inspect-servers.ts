import { setTimeout as delay } from "node:timers/promises";
import type { Db } from "mongodb";
import type { StoreInspection, StoreServer, StoreServers } from "../maintenance.ts";
import type { MongoConnection } from "./connection.ts";
import { INDEXES } from "./indexes.ts";
import { translated } from "./translate-error.ts";

/** The primary was found first; the others answer in the same moment, or do not. */
const OTHERS_MS = 1_000;

export const inspectServers = async (connection: MongoConnection): Promise<StoreInspection> => {
  const { db } = connection;
  const { version } = await translated(() => db.command({ buildInfo: 1 }));
  const [members, collections] = await Promise.all([membersOf(connection), sizes(db)]);
  const { setName } = connection.topology();
  const of = setName === null ? "one server" : `replica set ${setName} of ${members.length}`;
  return {
    engine: `MongoDB ${version}, ${of}`,
    files: [],
    problems: [],
    servers: { members, replicated: setName !== null, encrypted: connection.encrypted, collections },
  };
};

const membersOf = async ({ topology }: MongoConnection): Promise<readonly StoreServer[]> => {
  for (let waited = 0; waited < OTHERS_MS && topology().servers.some(({ role }) => role === "unknown"); waited += 20)
    await delay(20);
  return topology().servers;
};

const sizes = (db: Db): Promise<StoreServers["collections"]> =>
  translated(async () => {
    const there = new Set((await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name));
    const names = INDEXES.map(({ collection }) => collection).filter((name) => there.has(name));
    return Promise.all(
      names.map(async (name) => {
        const [stats] = await db
          .collection(name)
          .aggregate([{ $collStats: { storageStats: {} } }])
          .toArray();
        const { count = 0, storageSize = 0, totalIndexSize = 0 } = stats?.["storageStats"] ?? {};
        return { name, documents: count, bytes: storageSize + totalIndexSize };
      }),
    );
  });
