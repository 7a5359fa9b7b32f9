export { aClient, aJob, anEvent, anInstance, aService, aSigningKey } from "./builders.ts";
export { contentsOf } from "./contents-of.ts";
export { FixedClock } from "./fixed-clock.ts";
export { HostileStore, type StoreMethod, type Treatment } from "./hostile-store.ts";
export { type StoreFixture, storeContract } from "./store-contract.ts";
