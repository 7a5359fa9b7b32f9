import {
  type Db,
  MongoClient,
  type ServerHeartbeatSucceededEvent,
  type ServerType,
  type TopologyDescriptionChangedEvent,
} from "mongodb";
import { AigwError } from "../../errors.ts";
import { inTime } from "../in-time.ts";
import type { StoreServer } from "../maintenance.ts";
import { HeartbeatTime } from "./heartbeat-time.ts";
import { type MongoLocation, notValid } from "./location.ts";
import { translated } from "./translate-error.ts";

/** A lost connection is not waited for on closing: whoever closes wants to end. */
const CLOSE_PATIENCE_MS = 1_000;

/** What every connection of aigw does, whatever the URL says; TLS, users and the replica set's name are the URL's. */
const OPTIONS = {
  appName: "aigw",
  // Acknowledged is what survives the loss of any minority of the servers, and a power loss of all.
  writeConcern: { w: "majority", journal: true },
  readConcern: { level: "majority" },
  readPreference: "primary",
  retryReads: true,
  retryWrites: true,
  // An outage must not end in hundreds of connections, nor in a queue that nobody waits for any more.
  maxPoolSize: 10,
  minPoolSize: 0,
  maxIdleTimeMS: 60_000,
  waitQueueTimeoutMS: 2_000,
  // A frozen server is given up after the next heartbeat's connectTimeoutMS; a command of its own after socketTimeoutMS.
  serverSelectionTimeoutMS: 3_000,
  connectTimeoutMS: 2_000,
  socketTimeoutMS: 4_500,
  heartbeatFrequencyMS: 1_000,
  // A primary that was elected says so at once, and not at the next heartbeat. Costs one connection more to each member.
  serverMonitoringMode: "stream",
} as const;

export interface MongoTopology {
  /** The replica set's name, if it is one. */
  readonly setName: string | null;
  readonly servers: readonly StoreServer[];
}

/** A connection to the servers of a store. */
export interface MongoConnection {
  readonly db: Db;
  /** Whether it is TLS. */
  readonly encrypted: boolean;
  /** As it is now. */
  topology(): MongoTopology;
  /** Whether one of the servers takes writes. */
  readonly isLed: () => boolean;
  /** Has heard the server's clock. */
  readonly time: HeartbeatTime;
  /** Nothing keeps the process afterwards. */
  close(): Promise<void>;
}

/** @throws AigwError `invalid_value` for a URL that the driver cannot read, `store_*` */
export const connectMongo = async (location: MongoLocation): Promise<MongoConnection> => {
  const client = newClient(location.url);
  const time = new HeartbeatTime();
  client.on("serverHeartbeatSucceeded", ({ reply }: ServerHeartbeatSucceededEvent) => {
    // Others answer, too; theirs is not the time that counts.
    if (reply["isWritablePrimary"] === true && reply["localTime"] instanceof Date)
      time.hear(reply["localTime"].getTime());
  });
  let topology: MongoTopology = { setName: null, servers: [] };
  let isLed = false;
  client.on("topologyDescriptionChanged", ({ newDescription }: TopologyDescriptionChangedEvent) => {
    const { setName, servers } = newDescription;
    isLed = [...servers.values()].some((server) => server.isWritable);
    topology = {
      setName,
      servers: [...servers.values()].map(({ address, type }) => ({ address, role: roleOf(type) })),
    };
  });
  const close = async (): Promise<void> => {
    try {
      await inTime(client.close(), CLOSE_PATIENCE_MS);
    } catch {
      // Its sockets end with their time-outs.
    }
  };
  try {
    await translated(() => client.connect());
    if (!time.isKnown) throw noPrimary();
    return {
      db: client.db(location.database),
      encrypted: client.options.tls === true,
      topology: () => topology,
      isLed: () => isLed,
      time,
      close,
    };
  } catch (error) {
    await close();
    throw error instanceof AigwError ? error : unreachable(error);
  }
};

const ROLES: Partial<Readonly<Record<ServerType, StoreServer["role"]>>> = {
  RSPrimary: "primary",
  RSSecondary: "secondary",
  Standalone: "single",
  Mongos: "router",
  Unknown: "unknown",
  PossiblePrimary: "unknown",
};

const roleOf = (type: ServerType): StoreServer["role"] => ROLES[type] ?? "other";

const newClient = (url: string): MongoClient => {
  try {
    return new MongoClient(url, OPTIONS);
  } catch {
    throw notValid();
  }
};

/** With `directConnection` a secondary answers as well, and with `loadBalanced` there are no heartbeats. */
const noPrimary = (): AigwError =>
  new AigwError(
    "store_unavailable",
    "The MongoDB server that answers is no primary. Name all members and replicaSet=<name> in the store's URL, and neither directConnection nor loadBalanced.",
  );

/** What the URL asks for on the way to a server: a name of DNS, a certificate's file. */
const unreachable = (error: unknown): AigwError => {
  const [code, path] = error instanceof Error ? [Reflect.get(error, "code"), Reflect.get(error, "path")] : [];
  const what = typeof path === "string" ? `${path} cannot be read` : "its servers cannot be found or reached";
  const why = typeof code === "string" ? ` (${code})` : "";
  return new AigwError("store_unavailable", `The MongoDB store cannot be used: ${what}${why}. Check the store's URL.`);
};
