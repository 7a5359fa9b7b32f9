import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

export const ROOT: string = resolve(import.meta.dirname, "../../..");

/** What `pnpm bundle` has made, and `pnpm installs` makes first. */
export const RELEASE: string = join(ROOT, "release");

/** @returns the path of the one file there whose name ends so */
export const released = (end: string): string => {
  const [file, ...more] = existsSync(RELEASE) ? readdirSync(RELEASE).filter((name) => name.endsWith(end)) : [];
  if (file === undefined || more.length > 0) {
    throw new Error(
      `release/ has ${more.length > 0 ? "several" : "no"} *${end}: run \`npx -y pnpm@12.21.0 installs\`.`,
    );
  }
  return join(RELEASE, file);
};

/** What takes long to fetch and does not change is kept here, as `.ci/run` does. */
export const KEPT: string = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "aigw-tests");
