import type { Clock } from "../../clock.ts";
import type { StoreExport } from "../../transfer/parts.ts";
import type { OpenedStore } from "../engine.ts";
import type { BackupFacts, BackupOptions, StoreInspection } from "../maintenance.ts";
import type { MongoConnection } from "./connection.ts";
import type { MongoControl } from "./control.ts";
import { controlCollections } from "./control-schema.ts";
import { createIndexes } from "./indexes.ts";
import { openMongoControl } from "./open-mongo-control.ts";
import { shareTime } from "./share-time.ts";
import type { StoreTime } from "./store-time.ts";
import { MongoTraffic } from "./traffic/mongo-traffic.ts";

export interface MongoStoreOptions {
  readonly clock: Clock;
  /** The servers' clock unless given. */
  readonly time?: StoreTime;
}

/** A store in one database of MongoDB. */
export class MongoStore implements OpenedStore {
  readonly control: MongoControl;
  readonly traffic: MongoTraffic;
  readonly keyCheck: string;
  readonly #connection: MongoConnection;
  readonly #stopSharing: () => void;
  readonly #clock: Clock;

  private constructor(
    connection: MongoConnection,
    clock: Clock,
    control: MongoControl,
    traffic: MongoTraffic,
    stop: () => void,
  ) {
    this.#clock = clock;
    this.control = control;
    this.keyCheck = control.keyCheck;
    this.traffic = traffic;
    this.#connection = connection;
    this.#stopSharing = stop;
  }

  /**
   * Opens the store that must be there.
   * @param connection closed with the store, or when this throws
   * @throws AigwError `store_*`
   */
  static async open(connection: MongoConnection, { clock, time }: MongoStoreOptions): Promise<MongoStore> {
    const { db } = connection;
    try {
      const control = await openMongoControl(db, clock);
      const stop = time === undefined ? await shareTime(controlCollections(db).time, connection.time) : () => undefined;
      const traffic = new MongoTraffic({ db, time: time ?? connection.time, clock, isLed: connection.isLed });
      return new MongoStore(connection, clock, control, traffic, stop);
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  async integrityCheck(): Promise<readonly string[]> {
    const { integrityProblems } = await import("./integrity-problems.ts");
    return integrityProblems(this.#connection.db);
  }

  /** Also the indexes that a restored database may lack. */
  async upkeep(): Promise<void> {
    await createIndexes(this.#connection.db);
    await this.control.eraseDue();
  }

  async inspect(): Promise<StoreInspection> {
    const { inspectServers } = await import("./inspect-servers.ts");
    return inspectServers(this.#connection);
  }

  async exportAll(): Promise<StoreExport> {
    const { MongoExport } = await import("./transfer/mongo-export.ts");
    const { keyCheck, control, traffic } = this;
    return MongoExport.begin(this.#connection.db, { storeId: control.storeId, keyCheck }, traffic.steadyNow());
  }

  async backup(to: string, options?: BackupOptions): Promise<BackupFacts> {
    const { backupByCopy } = await import("../../transfer/backup-by-copy.ts");
    return backupByCopy(this, to, this.#clock, options);
  }

  async close(): Promise<void> {
    this.#stopSharing();
    await this.#connection.close();
  }
}
