import { AigwError } from "@aigw/core/errors";
import type { Job, JobState } from "@aigw/core/jobs";
import { isJobId } from "@aigw/core/jobs";
import type { Tone } from "../../terminal/output/style.ts";
import type { Cell } from "../../terminal/output/table.ts";

const TONES: Readonly<Partial<Record<JobState, Tone>>> = {
  running: "green",
  failed: "red",
  interrupted: "red",
  cancelled: "yellow",
};

export const stateCell = ({ state }: Job): Cell => {
  const tone = TONES[state];
  return tone === undefined ? state : { text: state, tone };
};

/** @throws AigwError `not_found` for what can be no job's id, too */
export const unknownJob = (id: string): AigwError =>
  new AigwError(
    "not_found",
    isJobId(id)
      ? `There is no job ${id} (any more). List them: aigw jobs list`
      : `'${id}' is no job's id, which is j_ and 40 characters. List them: aigw jobs list`,
    { details: { id } },
  );
