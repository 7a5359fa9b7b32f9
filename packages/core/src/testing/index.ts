export { aClient, anEvent, anInstance, aService, aSigningKey } from "./builders.ts";
export { FixedClock } from "./fixed-clock.ts";
export { type StoreFixture, storeContract } from "./store-contract.ts";
