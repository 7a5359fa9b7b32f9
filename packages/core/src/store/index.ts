export { inTime, isSilence, REQUEST_PATIENCE_MS, WORK_PATIENCE_MS } from "./in-time.ts";
export type { BackupFacts, BackupOptions, StoreFile, StoreInspection } from "./maintenance.ts";
export {
  type OpenedControl,
  type OpenedStore,
  type OpenStoreOptions,
  openStore,
  parseStoreUrl,
  peekNames,
  type StoredNames,
} from "./open-store.ts";
export type {
  ControlStore,
  Instance,
  MaybePromise,
  SeenInstance,
  Store,
  TokenIssue,
  TrafficStore,
  UntrustedForwarder,
  UsagePage,
  UsageSlice,
  UsageSpan,
} from "./store.ts";
