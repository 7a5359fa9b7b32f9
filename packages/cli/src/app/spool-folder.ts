import { join } from "node:path";

/** With a store behind a network, usage waits beside the master key while it is away; files of its own need no spool. */
export const spoolFolder = (home: string, storeUrl: string): { readonly spoolFolder?: string } =>
  /^sqlite:/i.test(storeUrl) ? {} : { spoolFolder: join(home, "spool") };

/** Where requests and answers of jobs lie, unless the setting says otherwise. */
export const jobsFolder = (home: string): { readonly jobsFolder: string } => ({ jobsFolder: join(home, "jobs") });
