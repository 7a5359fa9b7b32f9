import { type Stats, statSync } from "node:fs";
import { AigwError } from "../errors.ts";
import { translateFsError } from "../files/translate-fs-error.ts";
import type { StoreLocation } from "../store/engine.ts";
import { locateStore, type StorePlace } from "../store/engines.ts";
import { defaultStoreUrl, masterKeyPath, pendingPath, restorePendingPath } from "./home-paths.ts";
import { translateHomeError } from "./translate-home-error.ts";

export interface HomeLocation {
  /** Absolute path of the home folder. */
  readonly home: string;
  /** `<home>/aigw.db` unless given. */
  readonly storeUrl?: string | undefined;
  /** The text of AIGW_MASTER_KEY, which replaces the key file. */
  readonly masterKey?: string | undefined;
}

/** Nothing there yet, or everything: whatever lies between is an error, so that nothing is ever initialised over. */
export type HomeState = "empty" | "ready";

/**
 * Looks only; reads no file.
 * @throws AigwError `home_incomplete` naming what is missing, `invalid_value` when the home is not a folder, `store_*`
 */
export const inspectHome = async (location: HomeLocation): Promise<HomeState> => {
  const place = await locateStore(location.storeUrl ?? defaultStoreUrl(location.home));
  const first = await look(location, place);
  // Another process may be in the middle of an initialisation, whose steps this looked at one by one; it then is done.
  const found = typeof first === "string" ? first : await look(location, place);
  if (typeof found === "string") return found;
  throw found;
};

const look = async (
  { home, masterKey }: HomeLocation,
  { engine, location }: StorePlace,
): Promise<HomeState | AigwError> => {
  const folder = statOf(home, translateHomeError);
  if (folder !== undefined && !folder.isDirectory()) {
    throw new AigwError(
      "invalid_value",
      `The home ${home} is a file, not a folder. Choose another with --home or AIGW_HOME.`,
    );
  }
  const pending = exists(pendingPath(home));
  const keyFile = exists(masterKeyPath(home));
  const store = await engine.state(location);
  if (store === "present") return keyFile || masterKey ? "ready" : incomplete(KEY_MISSING(home, location));
  if (exists(restorePendingPath(home))) return incomplete(RESTORE_CUT(home));
  if (store !== "absent") return incomplete(`${store.remains} ${RESTORE_DATABASE}`);
  if (keyFile && !pending) {
    const lost = `${masterKeyPath(home)} is there, but the database ${location.shown} is missing.`;
    return incomplete(`${lost} ${location.path === undefined ? RESTORE_OR_NAME : RESTORE_DATABASE}`);
  }
  return "empty";
};

const KEY_MISSING = (home: string, { shown }: StoreLocation): string =>
  `The database ${shown} is there, but its master key ${masterKeyPath(home)} is missing. ` +
  "Restore the key from a backup, or set AIGW_MASTER_KEY.";
const RESTORE_CUT = (home: string): string =>
  `A backup is being restored into ${home}, or its restoration was cut off. Run it again: aigw restore-backup <file>`;
const RESTORE_DATABASE = "Restore it from a backup, or use an empty home to start anew.";
/** It answers, so that the name may be wrong as well. */
const RESTORE_OR_NAME = `Check the database's name in AIGW_STORE. ${RESTORE_DATABASE}`;

const incomplete = (message: string): AigwError => new AigwError("home_incomplete", message);

const exists = (path: string): boolean => statOf(path) !== undefined;

const statOf = (path: string, translate: typeof translateFsError = translateFsError): Stats | undefined => {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw translate(error, path);
  }
};
