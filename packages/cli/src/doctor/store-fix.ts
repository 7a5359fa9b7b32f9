import type { ErrorCode } from "@aigw/core";

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

/** What to do about a store that cannot be used. */
export const storeFix = (code: ErrorCode): string => FIXES[code] ?? RESTORE;
