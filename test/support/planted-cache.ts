import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { crc32 } from "node:zlib";

/** Node's kind of a cached ES module, and where in the cached file stand the length and the checksum of its source. */
const ESM = 1;
const SOURCE_SIZE_AT = 4;
const SOURCE_HASH_AT = 12;

const checksum = (text: string, start = 0): number => crc32(text, start);
const keyOf = (file: string): string =>
  checksum(pathToFileURL(file).href, crc32(Buffer.from([ESM])))
    .toString(16)
    .padStart(8, "0");

/**
 * Fills `folder` with what Node takes for the compiled code of the module `victim`; when run, it writes `marker`. What
 * anybody can do who may write there: V8 knows a source by its length, and Node by a checksum that stands beside it.
 * @param options of V8 that the victim runs with: it takes code of no others
 */
export const plantCode = (folder: string, victim: string, marker: string, options: readonly string[] = []): void => {
  const scratch = mkdtempSync(join(tmpdir(), "aigw-plant-"));
  try {
    const source = readFileSync(victim, "utf8");
    const code = `import fs from "node:fs";\nfs.writeFileSync(${JSON.stringify(marker)}, "planted");\n//`;
    const evil = join(scratch, "evil.mjs");
    writeFileSync(evil, code.padEnd(source.length, "x"));
    const made = join(scratch, "cache");
    execFileSync(process.execPath, [...options, evil], { env: { NODE_COMPILE_CACHE: made } });
    rmSync(marker);
    const [version = ""] = readdirSync(made);
    const cached = readFileSync(join(made, version, keyOf(evil)));
    cached.writeUInt32LE(Buffer.byteLength(source), SOURCE_SIZE_AT);
    cached.writeUInt32LE(checksum(source), SOURCE_HASH_AT);
    mkdirSync(join(folder, version), { recursive: true });
    writeFileSync(join(folder, version, keyOf(victim)), cached);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
};
