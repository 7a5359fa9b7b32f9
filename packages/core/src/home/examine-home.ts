import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Clock } from "../clock.ts";
import { AigwError } from "../errors.ts";
import { assertPrivate, groupWithAccess, parseMasterKey, readMasterKeyFile } from "../sealing/master-key.ts";
import { createSealer, type Sealer, verifyKeyCheck } from "../sealing/sealer.ts";
import { type OpenedStore, openStore, parseStoreUrl } from "../store/open-store.ts";
import { presencePathOf } from "../store/sqlite/traffic/presence/presence.ts";
import { defaultStoreUrl, masterKeyPath } from "./home-paths.ts";
import { type HomeLocation, type HomeState, inspectHome } from "./inspect-home.ts";

/** A home looked at part by part, for diagnosis: what is wrong with one part does not hide the others. */
export interface HomeExamination {
  readonly state: HomeState | AigwError;
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
  const state = await caught(() => inspectHome(options));
  if (state === "empty") return { state, loose: [] };
  const { home, masterKey } = options;
  const storeUrl = options.storeUrl ?? defaultStoreUrl(home);
  const sealer = await caught(() =>
    createSealer(masterKey ? parseMasterKey(masterKey, "AIGW_MASTER_KEY") : readMasterKeyFile(masterKeyPath(home))),
  );
  const store = await caught(() => openStore(storeUrl, options));
  const opens =
    store instanceof AigwError || sealer instanceof AigwError
      ? undefined
      : await caught(() => verifyKeyCheck(sealer, store.keyCheck));
  const parts = await partsOf(home, storeUrl);
  const groups = await Promise.all(parts.map(([path]) => caught(() => groupWithAccess(path))));
  const group = groups.find((gid) => typeof gid === "number");
  return {
    state,
    loose: await looseAmong(parts),
    ...(group === undefined ? {} : { group }),
    ...(sealer instanceof AigwError ? { keyProblem: sealer } : { sealer }),
    ...(opens instanceof AigwError ? { keyProblem: opens } : {}),
    ...(store instanceof AigwError ? { storeProblem: store } : { store }),
  };
};

type Part = readonly [path: string, kind: "file" | "folder"];

const partsOf = async (home: string, storeUrl: string): Promise<readonly Part[]> => {
  const parts: Part[] = [
    [home, "folder"],
    [masterKeyPath(home), "file"],
  ];
  const location = await caught(() => parseStoreUrl(storeUrl));
  if (!(location instanceof AigwError)) {
    const { path } = location;
    const stem = basename(path).replace(/\.db$/, "");
    for (const name of namesIn(dirname(path))) {
      if (name.startsWith(stem) && /\.db(-wal|-shm)?$/.test(name)) parts.push([join(dirname(path), name), "file"]);
      else if (name === basename(presencePathOf(path))) parts.push([presencePathOf(path), "folder"]);
    }
  }
  return parts;
};

const looseAmong = async (parts: readonly Part[]): Promise<readonly AigwError[]> => {
  const found = await Promise.all(parts.map(([path, kind]) => caught(() => assertPrivate(path, kind))));
  return found.filter(isLoose);
};

/** What this user cannot look at is another's, not loose. */
const isLoose = (problem: unknown): problem is AigwError =>
  problem instanceof AigwError && problem.code === "insecure_permissions" && problem.details["mode"] !== undefined;

const namesIn = (folder: string): readonly string[] => {
  try {
    return readdirSync(folder);
  } catch {
    // Whether the folder can be used is for the store to say.
    return [];
  }
};

/** @returns what `work` returns, or the AigwError that it throws */
const caught = async <T>(work: () => T | Promise<T>): Promise<T | AigwError> => {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AigwError) return error;
    throw error;
  }
};
