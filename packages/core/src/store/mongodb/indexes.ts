import { CONTROL_INDEXES } from "./control-schema.ts";
import { type CollectionIndexes, TRAFFIC_INDEXES } from "./traffic/collections.ts";

/** Every collection of a store, with its indexes beside `_id`. docs/mongodb.md lists them. */
export const INDEXES: readonly CollectionIndexes[] = [
  ...CONTROL_INDEXES,
  { collection: "meta", indexes: [] },
  ...TRAFFIC_INDEXES,
];
