import type { SpoolProblem } from "@aigw/core/spool";
import type { Logger } from "../log.ts";

/** A line when usage can no longer wait on the disk, and one for what cannot be read there. */
export const spoolLog =
  (log: Logger, folder: string) =>
  (problem: SpoolProblem): void => {
    if (problem.kind === "full") log.error({ folder, bytes: problem.bytes }, "usage spool full");
    else if (problem.kind === "damaged") log.error({ path: problem.path, bytes: problem.bytes }, "usage spool damaged");
    else
      log.error(
        { folder, reason: problem.error instanceof Error ? problem.error.message : "" },
        "usage spool unusable",
      );
  };
