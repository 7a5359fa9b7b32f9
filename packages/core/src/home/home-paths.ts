import { join } from "node:path";

/** In a home folder. */
export const masterKeyPath = (home: string): string => join(home, "master.key");
export const defaultStoreUrl = (home: string): string => `sqlite:${join(home, "aigw.db")}`;
/** There while an initialisation goes file by file: a key without a database is then no loss but work to finish. */
export const pendingPath = (home: string): string => join(home, ".init-pending");
/** There while a backup is being put in place: what lies in the home is then not yet a whole. */
export const restorePendingPath = (home: string): string => join(home, ".restore-pending");
