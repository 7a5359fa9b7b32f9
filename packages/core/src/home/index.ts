export { examineHome, type HomeExamination } from "./examine-home.ts";
export { defaultStoreUrl, masterKeyPath } from "./home-paths.ts";
export { type InitHomeOptions, initHome } from "./init-home.ts";
export { type HomeLocation, type HomeState, inspectHome } from "./inspect-home.ts";
export { type OpenedHome, type OpenHomeOptions, openHome } from "./open-home.ts";
export { type Environment, resolveHome } from "./resolve-home.ts";
export { type RestoredHome, type RestoreHomeOptions, restoreHome } from "./restore-home.ts";
