import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { MongoClient } from "mongodb";
import { until, within } from "./until.ts";

/** A real MongoDB server in a folder of its own, on a port of its own on loopback. */
export interface Mongod {
  readonly port: number;
  readonly process: ChildProcess;
  /** Ends it at once. Its data stay until {@link stop}. */
  kill(): Promise<void>;
  /** Starts it again where {@link kill} left it. */
  restart(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** Members of one replica set. */
export interface ReplicaSet {
  readonly members: readonly Mongod[];
  /** Names all members. */
  uri(database: string): string;
  primary(): Promise<Mongod>;
  /** The primary makes room for another. Returns when there is another one. */
  stepDown(): Promise<void>;
  stop(): Promise<void>;
}

const LOOPBACK = "127.0.0.1";

export const mongodUri = (port: number, database: string): string => `mongodb://127.0.0.1:${port}/${database}`;

/**
 * Fail points are on.
 * @param binary path of `mongod`
 * @param host an address of this machine
 */
export const startMongod = async (
  binary: string,
  args: readonly string[] = [],
  host: string = LOOPBACK,
): Promise<Mongod> => {
  const folder = mkdtempSync(join(tmpdir(), "aigw-mongod-"));
  let port = await freePort();
  const bound = host === LOOPBACK ? host : `${LOOPBACK},${host}`;
  const start = async (): Promise<ChildProcess> => {
    const child = spawn(
      binary,
      [
        ...["--dbpath", folder, "--port", String(port), "--bind_ip", bound, "--nounixsocket"],
        ...["--wiredTigerCacheSizeGB", "0.25", "--setParameter", "enableTestCommands=1"],
        ...["--setParameter", "diagnosticDataCollectionEnabled=false", "--quiet", ...args],
      ],
      { stdio: "ignore" },
    );
    try {
      await within("mongod to answer", answering(port, child), 30_000);
    } catch (error) {
      // One that runs on would keep the tests' process.
      child.kill("SIGKILL");
      throw error;
    }
    return child;
  };
  // Between looking for a port and using it, somebody else may take it.
  let child = await start().catch(async () => {
    port = await freePort();
    return start();
  });
  // Whatever ends the tests ends the servers.
  const onExit = (): void => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  process.on("exit", onExit);
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    // It outlives SIGTERM by seconds.
    child.kill("SIGKILL");
    await gone;
  };
  return {
    get port() {
      return port;
    },
    get process() {
      return child;
    },
    kill,
    restart: async () => {
      await kill();
      child = await start();
    },
    stop: async () => {
      await kill();
      process.off("exit", onExit);
      rmSync(folder, { recursive: true, force: true });
    },
  };
};

/** Ready when it returns: one member is the primary, and all have its data. */
export const startReplicaSet = async (binary: string, size = 3, host: string = LOOPBACK): Promise<ReplicaSet> => {
  const name = "aigw";
  const args = ["--replSet", name, "--oplogSize", "128"];
  const started = await Promise.allSettled(Array.from({ length: size }, () => startMongod(binary, args, host)));
  const members = started.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const failed = started.find((result) => result.status === "rejected");
  if (failed !== undefined) {
    await Promise.all(members.map((member) => member.stop()));
    throw failed.reason;
  }
  const hosts = members.map(({ port }) => `${host}:${port}`);
  const first = await connect(members[0]?.port ?? 0);
  try {
    await first.db("admin").command({
      replSetInitiate: {
        _id: name,
        members: hosts.map((member, index) => ({ _id: index, host: member })),
        settings: { electionTimeoutMillis: 2_000, heartbeatIntervalMillis: 500 },
      },
    });
    await until(
      "a primary and its secondaries",
      async () => {
        const { members: states } = await first.db("admin").command({ replSetGetStatus: 1 });
        const names: string[] = states.map(({ stateStr }: { stateStr: string }) => stateStr);
        return names.includes("PRIMARY") && names.every((state) => /^(PRIMARY|SECONDARY)$/.test(state));
      },
      60_000,
    );
  } finally {
    await first.close();
  }
  const findPrimary = async (): Promise<Mongod | undefined> => {
    for (const member of members) {
      if (member.process.exitCode !== null || member.process.signalCode !== null) continue;
      const client = await connect(member.port).catch(() => undefined);
      const hello = await client
        ?.db("admin")
        .command({ hello: 1 })
        .catch(() => undefined);
      await client?.close();
      if (hello?.["isWritablePrimary"] === true) return member;
    }
    return undefined;
  };
  const primary = (): Promise<Mongod> => until("a primary", findPrimary, 60_000);
  return {
    members,
    stepDown: async () => {
      const old = await primary();
      const client = await connect(old.port);
      try {
        await client.db("admin").command({ replSetStepDown: 10, secondaryCatchUpPeriodSecs: 5 });
      } finally {
        await client.close();
      }
      await until("another primary", async () => (await primary()) !== old, 60_000);
    },
    uri: (database) => `mongodb://${hosts.join(",")}/${database}?replicaSet=${name}`,
    // It takes writes some moments after it was elected.
    primary,
    stop: async () => {
      await Promise.all(members.map((member) => member.stop()));
    },
  };
};

const connect = (port: number): Promise<MongoClient> =>
  MongoClient.connect(`mongodb://127.0.0.1:${port}/?directConnection=true`, {
    serverSelectionTimeoutMS: 2_000,
    socketTimeoutMS: 5_000,
  });

const answering = async (port: number, child: ChildProcess): Promise<void> => {
  for (;;) {
    const why = child.exitCode ?? child.signalCode;
    if (why !== null) throw new Error(`mongod ended by itself: ${why}`);
    try {
      const client = await connect(port);
      await client.close();
      return;
    } catch {
      await delay(50);
    }
  }
};

const freePort = async (): Promise<number> => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
};
