import type { Clock } from "../clock.ts";
import { AigwError } from "../errors.ts";
import { assertPrivate, groupWithAccess, parseMasterKey, readMasterKeyFile } from "../sealing/master-key.ts";
import { createSealer, type Sealer, verifyKeyCheck } from "../sealing/sealer.ts";
import type { OpenedStore, PrivatePart, StoreLocation } from "../store/engine.ts";
import { locateStore } from "../store/engines.ts";
import { defaultStoreUrl, masterKeyPath } from "./home-paths.ts";
import { type HomeLocation, type HomeState, inspectHome } from "./inspect-home.ts";

/** A home looked at part by part, for diagnosis: what is wrong with one part does not hide the others. */
export interface HomeExamination {
  readonly state: HomeState | AigwError;
  /** Where the store is, or should be; absent when its URL says it of no place. */
  readonly location?: StoreLocation;
  /** Files and folders that other users of the machine can get at. */
  readonly loose: readonly AigwError[];
  /** The group that may get at them, where AIGW_GROUP_ACCESS allows it. */
  readonly group?: number;
  /** Present when the master key can be read, whether or not it opens this store. */
  readonly sealer?: Sealer;
  /** Why there is no key, or that it does not open the store. */
  readonly keyProblem?: AigwError;
  /** To be closed by the caller. */
  readonly store?: OpenedStore;
  readonly storeProblem?: AigwError;
}

export interface ExamineOptions extends HomeLocation {
  readonly clock: Clock;
  readonly busyTimeoutMs: number;
}

/** Creates nothing, and throws nothing that is an AigwError. */
export const examineHome = async (options: ExamineOptions): Promise<HomeExamination> => {
  const { home, masterKey } = options;
  const place = await caught(() => locateStore(options.storeUrl ?? defaultStoreUrl(home)));
  const located = place instanceof AigwError ? {} : { location: place.location };
  const state = place instanceof AigwError ? place : await caught(() => inspectHome(options));
  if (state === "empty") return { state, ...located, loose: [] };
  const sealer = await caught(() =>
    createSealer(masterKey ? parseMasterKey(masterKey, "AIGW_MASTER_KEY") : readMasterKeyFile(masterKeyPath(home))),
  );
  const store = place instanceof AigwError ? place : await caught(() => place.engine.open(place.location, options));
  const opens =
    store instanceof AigwError || sealer instanceof AigwError
      ? undefined
      : await caught(() => verifyKeyCheck(sealer, store.keyCheck));
  const parts = [
    { path: home, kind: "folder" } as const,
    { path: masterKeyPath(home), kind: "file" } as const,
    ...(place instanceof AigwError ? [] : place.engine.privateParts(place.location)),
  ];
  const groups = await Promise.all(parts.map(({ path }) => caught(() => groupWithAccess(path))));
  const group = groups.find((gid) => typeof gid === "number");
  return {
    state,
    ...located,
    loose: await looseAmong(parts),
    ...(group === undefined ? {} : { group }),
    ...(sealer instanceof AigwError ? { keyProblem: sealer } : { sealer }),
    ...(opens instanceof AigwError ? { keyProblem: opens } : {}),
    ...(store instanceof AigwError ? { storeProblem: store } : { store }),
  };
};

const looseAmong = async (parts: readonly PrivatePart[]): Promise<readonly AigwError[]> => {
  const found = await Promise.all(parts.map(({ path, kind }) => caught(() => assertPrivate(path, kind))));
  return found.filter(isLoose);
};

/** What this user cannot look at is another's, not loose. */
const isLoose = (problem: unknown): problem is AigwError =>
  problem instanceof AigwError && problem.code === "insecure_permissions" && problem.details["mode"] !== undefined;

/** @returns what `work` returns, or the AigwError that it throws */
const caught = async <T>(work: () => T | Promise<T>): Promise<T | AigwError> => {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AigwError) return error;
    throw error;
  }
};
