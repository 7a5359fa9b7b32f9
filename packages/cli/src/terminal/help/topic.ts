import type { Answer } from "../output/output.ts";

/** Something that `aigw help` explains besides commands. */
export interface Topic {
  readonly about: string;
  readonly answer: () => Answer;
}
