export type {
  OpenedControl,
  OpenedStore,
  OpenStoreOptions,
  StoredNames,
  StoreEngine,
  StoreLocation,
  StoreSeed,
} from "./engine.ts";
export { isEmbedded, locateStore, type StorePlace } from "./engines.ts";
export { inTime, isSilence, REQUEST_PATIENCE_MS, WORK_PATIENCE_MS } from "./in-time.ts";
export type {
  BackupFacts,
  BackupOptions,
  StoreFile,
  StoreInspection,
  StoreServer,
  StoreServers,
} from "./maintenance.ts";
export { createStore, openStore, peekNames } from "./open-store.ts";
export type {
  ControlStore,
  Instance,
  MaybePromise,
  ReportedTarget,
  SeenInstance,
  Store,
  TokenIssue,
  TrafficStore,
  UntrustedForwarder,
  UsagePage,
  UsageSlice,
  UsageSpan,
} from "./store.ts";
