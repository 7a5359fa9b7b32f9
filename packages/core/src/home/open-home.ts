import { existsSync, rmSync } from "node:fs";
import type { Clock } from "../clock.ts";
import { AigwError } from "../errors.ts";
import { assertPrivate, parseMasterKey, readMasterKeyFile } from "../sealing/master-key.ts";
import { createSealer, type Sealer, verifyKeyCheck } from "../sealing/sealer.ts";
import type { OpenedControl, OpenedStore } from "../store/engine.ts";
import { locateStore, type StorePlace } from "../store/engines.ts";
import { defaultStoreUrl, masterKeyPath, pendingPath } from "./home-paths.ts";
import { type HomeLocation, inspectHome } from "./inspect-home.ts";

export interface OpenHomeOptions extends HomeLocation {
  readonly clock: Clock;
  /** See OpenStoreOptions. */
  readonly busyTimeoutMs?: number | undefined;
}

export interface OpenedHome<S extends OpenedControl = OpenedStore> {
  readonly store: S;
  readonly sealer: Sealer;
  readonly home: string;
  readonly storeUrl: string;
}

/**
 * Opens the store with the master key that belongs to it. Close `store` when done.
 * @throws AigwError `home_not_initialised`, `home_incomplete`, `insecure_permissions`, `master_key_missing`,
 * `master_key_invalid`, `master_key_wrong`, `invalid_value`, `store_*`
 */
export const openHome = (options: OpenHomeOptions): Promise<OpenedHome> =>
  openWith(({ engine, location }) => engine.open(location, options), options);

/** {@link openHome} for what admins have set alone, without usage, permits and instances. */
export const openHomeControl = (options: OpenHomeOptions): Promise<OpenedHome<OpenedControl>> =>
  openWith(({ engine, location }) => engine.openControl(location, options), options);

const openWith = async <S extends OpenedControl>(
  open: (place: StorePlace) => Promise<S>,
  options: OpenHomeOptions,
): Promise<OpenedHome<S>> => {
  const { home, masterKey } = options;
  if ((await inspectHome(options)) === "empty") {
    throw new AigwError("home_not_initialised", `${home} is not initialised. Run: aigw init`);
  }
  // With key and database elsewhere there need not be a home folder.
  if (existsSync(home)) assertPrivate(home, "folder");
  const key = masterKey ? parseMasterKey(masterKey, "AIGW_MASTER_KEY") : readMasterKeyFile(masterKeyPath(home));
  const sealer = createSealer(key);
  const storeUrl = options.storeUrl ?? defaultStoreUrl(home);
  const store = await open(await locateStore(storeUrl));
  try {
    verifyKeyCheck(sealer, store.keyCheck);
    // Left by an initialisation killed in its last step; with it, a database lost later would count as not yet made.
    if (existsSync(pendingPath(home))) rmSync(pendingPath(home), { force: true });
  } catch (error) {
    await store.close();
    throw error;
  }
  return { store, sealer, home, storeUrl };
};
