import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Where each command, or all of a noun, is written about; the folder's own list is the README's. */
const PAGES: Readonly<Record<string, string>> = {
  init: "install.md",
  config: "configuration.md",
  serve: "serving.md",
  service: "services.md",
  "service meter": "metering.md",
  price: "metering.md",
  plan: "metering.md",
  store: "backup.md",
  client: "usage.md",
  "client quota": "quotas.md",
  "client grant": "quotas.md",
  secret: "security-guide.md",
  onboard: "onboarding.md",
  usage: "usage.md",
  top: "usage.md",
  why: "usage.md",
  review: "usage.md",
  audit: "usage.md",
  doctor: "doctor.md",
  backup: "backup.md",
  "restore-backup": "backup.md",
};

/** In a clone, in the tarball, and in the npm package, from this file in `src` or `dist`. */
const FOLDERS = ["../../../../../docs/", "../../../../../../../docs/", "../../../docs/"];

/** The file on this machine that says more, or the folder. @param command its words; none: aigw itself */
export const documentation = (command: readonly string[]): string => {
  const page = PAGES[command.slice(0, 2).join(" ")] ?? PAGES[command[0] ?? ""] ?? "";
  const found = FOLDERS.map((folder) => new URL(folder, import.meta.url)).find((url) =>
    existsSync(new URL("configuration.md", url)),
  );
  return found === undefined ? `docs/${page} of the release` : fileURLToPath(new URL(page, found));
};
