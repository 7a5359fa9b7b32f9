import type { Collection, Db } from "mongodb";
import type { ChangeDocument } from "./change-document.ts";
import type { CollectionIndexes } from "./traffic/collections.ts";

/**
 * The layout that this build writes. Raise it with a step that brings older stores there.
 * 2: plans and what calls are worth. An earlier version would let a client call what its plan does not allow, and sum up
 * calls without their units.
 * 3: fair queues. An earlier version would send a service more calls than it takes at once.
 */
export const SCHEMA_VERSION = 3;

/** `_id: "store"`: the store itself. That it is there is what makes a database a store. */
export interface StoreDocument {
  readonly _id: "store";
  readonly storeId: string;
  /** The same: see insertOnce. */
  readonly nonce: string;
  readonly keyCheck: string;
  readonly schema: number;
  /** The first changes, until they are in the log: whoever opens the store puts them there. */
  readonly seed?: readonly ChangeDocument[];
}

/** `_id: "time"`: the latest steady time that somebody has noted. */
export interface TimeDocument {
  readonly _id: "time";
  readonly seen: number;
}

export interface ControlCollections {
  readonly changes: Collection<ChangeDocument>;
  readonly meta: Collection<StoreDocument>;
  /** In the same collection. */
  readonly time: Collection<TimeDocument>;
}

export const controlCollections = (db: Db): ControlCollections => ({
  changes: db.collection<ChangeDocument>("changes"),
  meta: db.collection<StoreDocument>("meta"),
  time: db.collection<TimeDocument>("meta"),
});

export const CONTROL_INDEXES: readonly CollectionIndexes[] = [
  {
    collection: "changes",
    indexes: [
      // The newest effects on a subject.
      { name: "by_subject", key: { "effects.kind": 1, "effects.subject": 1, _id: -1 } },
      { name: "held", key: { "effects.held": 1 }, options: { sparse: true } },
      { name: "due", key: { due: 1 }, options: { sparse: true } },
    ],
  },
];
