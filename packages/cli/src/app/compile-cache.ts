import type { Stats } from "node:fs";

// Not imported: that reads every property of a built-in module, and so loads node:fs/promises for each `aigw --version`.
const { lstatSync, mkdirSync, readdirSync, readlinkSync, statSync } = process.getBuiltinModule("node:fs");
const { isAbsolute, join } = process.getBuiltinModule("node:path");
const module = process.getBuiltinModule("node:module");

/** Why a folder is not used: somebody else could put something into it, or has. */
export interface Distrust {
  /** The folder or link that it lies in, or is. */
  readonly path: string;
  readonly why: "owner" | "mode" | "kind";
}

/** What the compiled code of the next start may be kept in. */
export type CacheFolder =
  | { readonly kind: "ours"; readonly path: string }
  /** There is none, or nowhere to make one. */
  | { readonly kind: "none" }
  | { readonly kind: "distrusted"; readonly path: string; readonly distrust: Distrust };

/**
 * Node runs what lies in its compile cache, and its own choice is a folder in the system's one for temporary files:
 * whoever made that first would run code as us. So ours is in the user's own caches, and without a folder there that
 * nobody else can write there is none: the start takes longer. NODE_COMPILE_CACHE is the user's word and comes before it.
 */
export const enableCompileCache = (): void => {
  if (module.getCompileCacheDir() !== undefined) return;
  const found = cacheFolder(process.env, true);
  if (found.kind === "ours") module.enableCompileCache(found.path);
};

/** @param create makes the folder where it is missing, for this user alone */
export const cacheFolder = (env: Readonly<Record<string, string | undefined>>, create: boolean): CacheFolder => {
  const { XDG_CACHE_HOME, HOME } = env;
  const caches = XDG_CACHE_HOME?.startsWith("/") ? XDG_CACHE_HOME : HOME?.startsWith("/") && join(HOME, ".cache");
  if (!caches) return { kind: "none" };
  const path = join(caches, "aigw");
  try {
    // Step by step: Node's own way to make a whole path never ends where a folder takes none, as in /proc.
    for (const step of [caches, path]) {
      let seen = lookAt(step);
      if (seen === "absent" && create) {
        mkdirSync(step, { mode: 0o700 });
        seen = lookAt(step);
      }
      if (seen === "absent") return { kind: "none" };
      if (seen !== "ours") return { kind: "distrusted", path, distrust: seen };
    }
    const planted = planting(path);
    return planted === undefined ? { kind: "ours", path } : { kind: "distrusted", path, distrust: planted };
  } catch {
    return { kind: "none" };
  }
};

/** More links than this are a ring. The system's own bound. */
const MAX_LINKS = 40;

/**
 * Follows a path as the system does, link by link: every folder and link on it has to be this user's or root's, and no
 * folder writable by others, who could put another in its place. In a sticky folder, such as /tmp, they cannot.
 */
const lookAt = (path: string): "ours" | "absent" | Distrust => {
  let left = path.split("/").filter(isName);
  let links = 0;
  for (let at = "/"; ; ) {
    const next = join(at, left.shift() ?? "");
    const stat = lstatSync(next, { throwIfNoEntry: false });
    if (stat === undefined) return "absent";
    if (!isOurs(stat)) return { path: next, why: "owner" };
    if (stat.isSymbolicLink()) {
      links += 1;
      if (links > MAX_LINKS) return { path: next, why: "kind" };
      const target = readlinkSync(next);
      left = [...target.split("/").filter(isName), ...left];
      if (isAbsolute(target)) at = "/";
      continue;
    }
    if (!stat.isDirectory()) return { path: next, why: "kind" };
    if (isWritableByOthers(stat) && !isSticky(stat)) return { path: next, why: "mode" };
    if (left.length === 0) return "ours";
    at = next;
  }
};

/** The folder itself, and those in it that Node makes for each of its versions. Their files would cost each start 3 ms. */
const planting = (path: string): Distrust | undefined => {
  if (isWritableByOthers(statSync(path))) return { path, why: "mode" };
  for (const name of readdirSync(path)) {
    const entry = join(path, name);
    const stat = lstatSync(entry);
    if (!isOurs(stat)) return { path: entry, why: "owner" };
    if (!stat.isDirectory()) return { path: entry, why: "kind" };
    if (isWritableByOthers(stat)) return { path: entry, why: "mode" };
  }
  return undefined;
};

const isName = (part: string): boolean => part !== "" && part !== ".";

/** Windows has no owners by number, and no cache of ours. */
const isOurs = ({ uid }: Stats): boolean => process.getuid !== undefined && (uid === process.getuid() || uid === 0);

const isWritableByOthers = ({ mode }: Stats): boolean => (mode & 0o022) !== 0;

const isSticky = ({ mode }: Stats): boolean => (mode & 0o1000) !== 0;

/** What Node calls the kind of a file of ours. */
const FORMATS: Readonly<Record<string, string>> = { ".js": "module", ".ts": "module-typescript" };

/**
 * Tells Node where our own modules are. Left alone it looks for links and for a package.json in every folder on the way
 * to each of the hundred and more files of a command, which takes a third of its time. Ours are ES modules, in folders
 * without links. What other packages import is left to Node.
 *
 * To be called first: what was imported before has cost its time.
 */
export const importQuickly = (): void => {
  const own = folderOf(import.meta.url);
  if (own === undefined) return;
  /** Where the packages have their files: `file:///…/cli/dist/`. */
  const folders = [own];
  module.registerHooks({
    resolve: (specifier, context, next) => {
      const { parentURL } = context;
      const isOurs = parentURL !== undefined && folders.some((folder) => parentURL.startsWith(folder));
      const format = isOurs && specifier.startsWith(".") && FORMATS[specifier.slice(-3)];
      if (format) return { url: new URL(specifier, parentURL).href, format, shortCircuit: true };
      const found = next(specifier, context);
      if (isOurs && specifier.startsWith("@aigw/")) {
        const folder = folderOf(found.url);
        if (folder !== undefined && !folders.includes(folder)) folders.push(folder);
      }
      return found;
    },
  });
};

/** The last folder on the way that has a package's files. */
const folderOf = (url: string): string | undefined => /^.*\/(dist|src)\//.exec(url)?.[0];
