export { type CopyOptions, copyStore, type StoreCopy } from "./copy-store.ts";
export type { ImportOptions, PartName, StoreExport, StoreFacts, StoreParts } from "./parts.ts";
export type { PartTally } from "./tally.ts";
