import { accessSync, constants, existsSync } from "node:fs";
import { dirname } from "node:path";
import type { HomeExamination } from "@aigw/core";
import { AigwError } from "@aigw/core/errors";
import { shellQuoted } from "../../terminal/output/shell-quoted.ts";
import type { Found } from "../finding.ts";

const about = "home";

/** Is everything there, may nobody else get at it, may this user write it? */
export const checkHome = (
  { state, location, loose, group, storeProblem }: HomeExamination,
  home: string,
): readonly Found[] => {
  if (state === "empty") {
    return [{ code: "home_empty", about, message: `${home} holds nothing yet.`, command: "aigw init" }];
  }
  const findings: Found[] = [];
  // What ails the store alone is the store's finding.
  if (state instanceof AigwError && state.message !== storeProblem?.message) {
    const command =
      state.code === "home_incomplete"
        ? "put what is missing back, or into a new home: aigw restore-backup <file> --home <dir>"
        : "name the right place: --home <dir>, AIGW_STORE";
    findings.push({ code: "home_broken", about, message: state.message, command });
  }
  for (const { message, details } of loose) findings.push(looseFinding(message, details["path"]));
  const database = location?.path;
  for (const path of database === undefined ? [] : new Set([database, dirname(database)])) {
    if (isThereButReadOnly(path)) {
      findings.push({
        code: "home_read_only",
        about,
        message: `${path} cannot be written by this user.`,
        command: `run aigw as the user it belongs to, or: chown -R "$(id -un)" ${shellQuoted(dirname(database ?? path))}`,
      });
    }
  }
  if (group !== undefined) {
    const message = `Members of group ${group} may get at ${home}, as AIGW_GROUP_ACCESS has it; others may not`;
    findings.push({ code: "home_shared", about, message });
  }
  if (findings.length > 0 || state instanceof AigwError) return findings;
  const message = existsSync(home)
    ? `${home}, for this user alone`
    : "no folder is needed: key and store are elsewhere";
  return [{ code: "home_ready", about, message }];
};

/** The core's message ends with the command. */
const looseFinding = (message: string, path: unknown): Found => {
  const [said = message, named] = message.split(" Run: ");
  const command = named ?? `chmod go= ${shellQuoted(String(path))}`;
  return { code: "home_loose", about, message: said, command };
};

const isThereButReadOnly = (path: string): boolean => {
  try {
    accessSync(path, constants.W_OK);
    return false;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code !== "ENOENT";
  }
};
