/** From package.json, which lies one folder up in the sources and in the package. */
export const readVersion = (): string => {
  // As an import, node:fs would bring Node's streams and promises along: 5 ms of `aigw --version`.
  const { readFileSync } = process.getBuiltinModule("node:fs");
  const manifest: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return typeof manifest === "object" && manifest !== null && "version" in manifest
    ? String(manifest.version)
    : "0.0.0";
};
