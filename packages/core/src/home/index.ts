import type { ExamineOptions, HomeExamination } from "./examine-home.ts";
import type { InitHomeOptions } from "./init-home.ts";
import type { RestoredHome, RestoreHomeOptions } from "./restore-home.ts";

export type { HomeExamination } from "./examine-home.ts";
export { defaultStoreUrl, masterKeyPath } from "./home-paths.ts";
export type { InitHomeOptions } from "./init-home.ts";
export { type HomeLocation, type HomeState, inspectHome } from "./inspect-home.ts";
export { makeFolder } from "./make-folder.ts";
export { type OpenedHome, type OpenHomeOptions, openHome, openHomeControl } from "./open-home.ts";
export { type Environment, resolveHome } from "./resolve-home.ts";
export type { RestoredHome, RestoreHomeOptions } from "./restore-home.ts";

// Every command opens a home; what follows happens once in a home's life, or less, and is loaded then.

/** See home/init-home.ts. */
export const initHome = async (options: InitHomeOptions): Promise<{ readonly created: boolean }> =>
  (await import("./init-home.ts")).initHome(options);

/** See home/examine-home.ts. */
export const examineHome = async (options: ExamineOptions): Promise<HomeExamination> =>
  (await import("./examine-home.ts")).examineHome(options);

/** See home/restore-home.ts. */
export const restoreHome = async (options: RestoreHomeOptions): Promise<RestoredHome> =>
  (await import("./restore-home.ts")).restoreHome(options);
