import type { HomeExamination } from "@aigw/core";
import type { Found } from "../finding.ts";

const about = "master key";

/** @param source where the key is taken from, for people */
export const checkMasterKey = ({ state, keyProblem, store }: HomeExamination, source: string): readonly Found[] => {
  if (state === "empty") return [];
  if (keyProblem !== undefined) {
    // A key that others can read is a key; home_loose names the command.
    if (keyProblem.code === "insecure_permissions" && keyProblem.details["mode"] !== undefined) return [];
    return [
      {
        code: "master_key_broken",
        about,
        message: keyProblem.message,
        command: `put the key that belongs to this store in place: ${source}`,
      },
    ];
  }
  if (store === undefined) {
    return [{ code: "master_key_untried", about, message: "It is there; no store could be opened to try it on." }];
  }
  return [{ code: "master_key_opens", about, message: `${source} opens the store` }];
};
