import { join } from "node:path";
import { isEmbedded } from "@aigw/core/store";

/**
 * Where a gateway keeps what its store does not take, beside the master key: what quotas count, and with a store behind a
 * network usage as well.
 */
export const spoolFolders = (
  home: string,
  storeUrl: string,
): { readonly quotaFolder: string; readonly spoolFolder?: string } => {
  const folder = join(home, "spool");
  return { quotaFolder: folder, ...(!isEmbedded(storeUrl) && { spoolFolder: folder }) };
};

/** Where requests and answers of jobs lie, unless the setting says otherwise. */
export const jobsFolder = (home: string): { readonly jobsFolder: string } => ({ jobsFolder: join(home, "jobs") });
