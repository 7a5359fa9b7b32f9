import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import {
  type ActDeps,
  addService,
  type Change,
  type Effect,
  emptyControlState,
  fold,
  initHome,
  type OpenedHome,
  openHome,
  openSigningKey,
  type Store,
  systemClock,
  type UsageEvent,
} from "@aigw/core";
import { contentsOf } from "@aigw/core/testing";
import { temporaryHome } from "./aigw.ts";
import { storeUrlOf } from "./engine.ts";
import { addKnownClient } from "./known-client.ts";

type Owner = Pick<TestContext, "after">;

export type Opened = OpenedHome & { readonly deps: ActDeps };

/** Opens the home in this process for as long as `work` takes. */
export const withHome = async <T>(home: string, work: (opened: Opened) => Promise<T> | T): Promise<T> => {
  const opened = await openHome({ home, storeUrl: storeUrlOf(home), clock: systemClock });
  const { store, sealer } = opened;
  try {
    return await work({ ...opened, deps: { store, sealer, clock: systemClock, actor: "test" } });
  } finally {
    await opened.store.close();
  }
};

export interface PreparedHome {
  readonly home: string;
  /** By client name. */
  readonly passwords: Readonly<Record<string, string>>;
}

/** A home as the commands would make it, without a process for each of them. */
export const prepareHome = async (
  t: Owner,
  facts: {
    home?: string;
    services?: Record<string, string>;
    clients?: Record<string, { limit?: number; services?: string[] }>;
  } = {},
): Promise<PreparedHome> => {
  const home = facts.home ?? temporaryHome(t);
  await initHome({ home, storeUrl: storeUrlOf(home), at: Date.now(), actor: "test" });
  const passwords: Record<string, string> = {};
  await withHome(home, async ({ deps }) => {
    for (const [name, url] of Object.entries(facts.services ?? {})) await addService(deps, { name, url });
    for (const [name, client] of Object.entries(facts.clients ?? {})) {
      passwords[name] = (await addKnownClient(deps, { name, ...client })).password;
    }
  });
  return { home, passwords };
};

/** A limit that no test reaches. */
export const UNLIMITED = { limit: 10_000_000 };

const MANY = 1_000_000;

/** Every effect of every change, in order, each with who made it and when. */
export const allChanges = async (store: Store): Promise<readonly (Omit<Change, "effects"> & Effect)[]> =>
  (await store.control.changesAfter(0, MANY)).flatMap(({ effects, ...change }) =>
    effects.map((effect) => ({ ...change, ...effect })),
  );

export const allUsage = async (store: Store): Promise<readonly UsageEvent[]> =>
  (await store.traffic.latestUsage({}, MANY)).events;

/**
 * What must hold of every home at every moment: both files are sound, revisions have no gap, the views are what the log
 * folds to, exactly one key signs, every key that verifies opens.
 */
export const assertSound = async ({ store, sealer }: Pick<Opened, "store" | "sealer">): Promise<void> => {
  assert.deepEqual(await store.integrityCheck(), []);
  const changes = await store.control.changesAfter(0, MANY);
  assert.deepEqual(
    changes.map(({ rev }) => rev),
    changes.map((_, index) => index + 1),
    "revisions without gaps",
  );
  const state = emptyControlState();
  for (const change of changes) fold(state, change);
  assert.deepEqual(contentsOf(await store.control.snapshot()), contentsOf(state), "the views are the folded log");
  assert.equal(state.keyring.filter(({ status }) => status === "active").length, 1, "exactly one active key");
  for (const key of state.keyring) assert.equal(openSigningKey(sealer, key) !== undefined, key.status !== "retired");
};
