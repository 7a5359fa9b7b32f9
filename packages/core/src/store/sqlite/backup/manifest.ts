import { parseInstant, rfc3339 } from "../../../date-time.ts";
import { AigwError } from "../../../errors.ts";
import type { BackupFacts } from "../../maintenance.ts";

/** The parts of a backup, in the order in which they stand in it. */
export const MANIFEST_NAME = "manifest.json";
export const DATABASE_NAMES = ["aigw.db", "aigw.usage.db"] as const;
export type DatabaseName = (typeof DATABASE_NAMES)[number];

export interface PartFacts {
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

export interface Manifest {
  readonly facts: Omit<BackupFacts, "bytes">;
  readonly files: Readonly<Record<DatabaseName, PartFacts>>;
}

const FORMAT = "aigw-backup";
/** Of the file's layout. Schemas of the databases have versions of their own. */
const VERSION = 1;
/** No manifest is larger; whatever claims to be is refused unread. */
export const MAX_MANIFEST_BYTES = 65_536;

export const formatManifest = ({ facts, files }: Manifest): string =>
  `${JSON.stringify({ format: FORMAT, version: VERSION, ...facts, createdAt: rfc3339(facts.createdAt), files }, undefined, 2)}\n`;

/** @throws AigwError `invalid_value` when it is none, `store_schema_newer` when a later aigw wrote it */
export const parseManifest = (text: string, file: string): Manifest => {
  const value = parseObject(text);
  if (value["format"] !== FORMAT) throw notABackup(file);
  if (value["version"] !== VERSION) {
    throw new AigwError(
      "store_schema_newer",
      `${file} is a backup of version ${String(value["version"])}, but this aigw knows version ${VERSION}. Use the newer aigw.`,
    );
  }
  const word = (key: string): string => (typeof value[key] === "string" ? value[key] : "");
  const count = (key: string): number => (typeof value[key] === "number" ? value[key] : Number.NaN);
  const files = asObject(value["files"]);
  const part = (name: DatabaseName): PartFacts => {
    const { bytes, sha256 } = asObject(files[name]);
    if (typeof bytes === "number" && typeof sha256 === "string") return { bytes, sha256 };
    throw notABackup(file);
  };
  const facts = {
    createdAt: parseCreatedAt(word("createdAt"), file),
    storeId: word("storeId"),
    revision: count("revision"),
    clients: count("clients"),
    services: count("services"),
    usageEvents: count("usageEvents"),
  };
  if (facts.storeId === "" || !Number.isInteger(facts.revision)) throw notABackup(file);
  return { facts, files: { "aigw.db": part("aigw.db"), "aigw.usage.db": part("aigw.usage.db") } };
};

const parseCreatedAt = (value: string, file: string): number => {
  try {
    return parseInstant("createdAt", value, "use a date-time").at;
  } catch (cause) {
    throw notABackup(file, cause);
  }
};

export const notABackup = (file: string, cause?: unknown): AigwError =>
  new AigwError("invalid_value", `${file} is not a backup of aigw's. Give a file that 'aigw backup' wrote.`, { cause });

export const damagedBackup = (file: string, why: string): AigwError =>
  new AigwError(
    "store_corrupt",
    `The backup ${file} is damaged (${why}). Nothing of it was restored; use another backup.`,
  );

const parseObject = (text: string): Readonly<Record<string, unknown>> => {
  try {
    return asObject(JSON.parse(text));
  } catch {
    // Whatever is not JSON is no manifest; the caller finds its format missing.
    return {};
  }
};

const asObject = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
