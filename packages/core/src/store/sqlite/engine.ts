import { readdirSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { translateFsError } from "../../files/translate-fs-error.ts";
import {
  DEFAULT_BUSY_TIMEOUT_MS,
  invalidStoreUrl,
  type PrivatePart,
  type StoreEngine,
  type StoreLocation,
  type StoreState,
} from "../engine.ts";
import { presencePathOf, usagePathOf } from "./files/paths.ts";

/** The embedded store. What opens a database is loaded by whoever does. */
export const sqliteEngine: StoreEngine = {
  schemes: ["sqlite"],

  parse(url) {
    const [, scheme, path = ""] = /^([^:]*):(.*)$/s.exec(url) ?? [];
    if (!/^(?!\/\/[^/])(?!:memory:$)[^\0?#]+$/.test(path)) throw invalidStoreUrl(scheme?.toLowerCase());
    const file = resolve(path);
    return { engine: "sqlite", url: `sqlite:${file}`, shown: file, path: file };
  },

  async state(location): Promise<StoreState> {
    const path = pathOf(location);
    if (isThere(path)) return "present";
    const left = [`${path}-wal`, usagePathOf(path)].find(isThere);
    return left === undefined ? "absent" : { remains: `${left} is there, but the database ${path} is missing.` };
  },

  async create(location, seed) {
    const { createSqliteStore } = await import("./control/create-sqlite-store.ts");
    return createSqliteStore(pathOf(location), seed);
  },

  async open(location, { clock, busyTimeoutMs = DEFAULT_BUSY_TIMEOUT_MS }) {
    const { SqliteStore } = await import("./sqlite-store.ts");
    return new SqliteStore(pathOf(location), { clock, busyTimeoutMs });
  },

  async openControl(location, { busyTimeoutMs = DEFAULT_BUSY_TIMEOUT_MS }) {
    const { SqliteControl } = await import("./control/control.ts");
    const control = SqliteControl.open(pathOf(location), busyTimeoutMs);
    return { control, keyCheck: control.keyCheck, close: async () => control.close() };
  },

  async vacate(location, resumed) {
    const { vacate } = await import("./backup/vacate.ts");
    vacate(pathOf(location), resumed);
  },

  async restore(location, file, options) {
    const { restoreBackup } = await import("./backup/restore-backup.ts");
    return restoreBackup(pathOf(location), file, options);
  },

  async importAll(location, source, options) {
    const { importStore } = await import("./transfer/import-store.ts");
    await importStore(pathOf(location), source, options);
  },

  async peekNames(location, prefix, limit) {
    const { peekSqliteNames } = await import("./control/peek-names.ts");
    return peekSqliteNames(pathOf(location), prefix, limit);
  },

  privateParts(location) {
    const path = pathOf(location);
    const folder = dirname(path);
    const stem = basename(path).replace(/\.db$/, "");
    const presence = presencePathOf(path);
    return namesIn(folder).flatMap((name): PrivatePart[] => {
      if (name.startsWith(stem) && /\.db(-wal|-shm)?$/.test(name)) return [{ path: join(folder, name), kind: "file" }];
      return name === basename(presence) ? [{ path: presence, kind: "folder" }] : [];
    });
  },
};

const pathOf = ({ path }: StoreLocation): string => {
  if (path === undefined) throw new TypeError("a location of another engine");
  return path;
};

const isThere = (path: string): boolean => {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw translateFsError(error, path);
  }
};

const namesIn = (folder: string): readonly string[] => {
  try {
    return readdirSync(folder);
  } catch {
    // Whether the folder can be used is for the store to say.
    return [];
  }
};
