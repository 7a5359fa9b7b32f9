import type { ErrorCode } from "@aigw/core";
import type { StoreLocation } from "@aigw/core/store";

const RESTORE = "stop the gateways, move the home away, then: aigw restore-backup <file>";

const FIXES: Readonly<Partial<Record<ErrorCode, string>>> = {
  store_corrupt: RESTORE,
  store_locked: "find who holds it: fuser -v <the database>; then: aigw doctor",
  store_read_only: "make the file and its folder writable for this user",
  store_full: "free some space",
  store_schema_newer: "use the newer aigw that wrote it",
  store_unavailable: "check the path, the disk and the file's owner",
  store_unsupported: "check --store and AIGW_STORE, and use a newer Node.js",
};

/** Of a store behind a network, where the message says what it is. */
const NETWORK_FIXES: Readonly<Partial<Record<ErrorCode, string>>> = {
  store_corrupt: "see docs/mongodb.md: if it is not made good by itself, restore the database from a backup",
  store_schema_newer: "use the newer aigw that wrote it",
  store_unavailable: "check AIGW_STORE, the servers and the network between; see docs/mongodb.md",
  store_unsupported: "check AIGW_STORE and the servers' version",
};

/** What to do about a store that cannot be used. @param location where it is, as far as that is known */
export const storeFix = (code: ErrorCode, location?: StoreLocation): string => {
  if (location !== undefined && location.path === undefined) return NETWORK_FIXES[code] ?? "see docs/mongodb.md";
  return FIXES[code] ?? RESTORE;
};
