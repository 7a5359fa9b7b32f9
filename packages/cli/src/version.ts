import { readFileSync } from "node:fs";

/** From package.json, which lies one folder up in the sources and in the package. */
export const readVersion = (): string => {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return typeof manifest === "object" && manifest !== null && "version" in manifest
    ? String(manifest.version)
    : "0.0.0";
};
