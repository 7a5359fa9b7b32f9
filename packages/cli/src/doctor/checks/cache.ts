import { type CacheFolder, cacheFolder, type Distrust } from "../../app/compile-cache.ts";
import { shellQuoted } from "../../terminal/output/shell-quoted.ts";
import type { Found } from "../finding.ts";

const about = "cache";

/** Compiled code is run as it lies there. Where others could have laid it, it is left alone, which takes time. */
export const checkCache = (env: Readonly<Record<string, string | undefined>>): readonly Found[] => {
  const found: CacheFolder = cacheFolder(env, false);
  if (found.kind !== "distrusted") return [];
  const { path, distrust } = found;
  return [
    {
      code: "cache_distrusted",
      about,
      message: `Compiled code is not kept in ${path}, so every start takes longer: ${REASONS[distrust.why](distrust.path)}.`,
      command: fixFor(distrust, path),
    },
  ];
};

const REASONS: Readonly<Record<Distrust["why"], (path: string) => string>> = {
  owner: (path) => `${path} belongs to another user`,
  mode: (path) => `others can write ${path}`,
  kind: (path) => `${path} is not a folder`,
};

const fixFor = ({ path, why }: Distrust, cache: string): string => {
  // What lies in the cache is made anew; what it lies in is not ours to take away.
  if (path === cache || path.startsWith(`${cache}/`)) return `rm -r ${shellQuoted(cache)}`;
  return why === "mode" ? `chmod go-w ${shellQuoted(path)}` : "let XDG_CACHE_HOME name a folder of this user's own";
};
