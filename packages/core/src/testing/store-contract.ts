import { describe } from "node:test";
import type { MaybePromise, Store } from "../store/store.ts";
import { controlContract } from "./control-contract.ts";
import type { FixedClock } from "./fixed-clock.ts";
import { secretsContract } from "./secrets-contract.ts";
import { trafficContract } from "./traffic-contract.ts";

/** A new, empty store of the engine under test. */
export interface StoreFixture {
  /** Another handle on the same store, as another process would have it; the suite closes it. */
  open(): MaybePromise<Store>;
  /** The clock that all handles go by. */
  readonly clock: FixedClock;
  /** Removes the store for good. */
  dispose(): MaybePromise<void>;
}

/** Two handles on one new store. */
export interface Handles {
  readonly one: Store;
  readonly two: Store;
  readonly clock: FixedClock;
}

/** Runs `body` on a store of its own, which is closed and removed afterwards. */
export type WithStore = (body: (handles: Handles) => Promise<void>) => () => Promise<void>;

/** What every engine must do. Call it in a test file of node:test. */
export const storeContract = (name: string, makeStore: () => MaybePromise<StoreFixture>): void => {
  const withStore: WithStore = (body) => async () => {
    const fixture = await makeStore();
    const opened: Store[] = [];
    const open = async (): Promise<Store> => {
      const store = await fixture.open();
      opened.push(store);
      return store;
    };
    try {
      await body({ one: await open(), two: await open(), clock: fixture.clock });
    } finally {
      for (const store of opened) await store.close();
      await fixture.dispose();
    }
  };
  describe(`${name} keeps the store contract`, () => {
    controlContract(withStore);
    secretsContract(withStore);
    trafficContract(withStore);
  });
};
