import type { Figure } from "./figure.ts";
import type { Tool } from "./machine.ts";

/** How thoroughly, and whom to tell what is going on. */
export interface Effort {
  readonly say: (line: string) => void;
  /** At least 5 for figures that are kept. */
  readonly rounds: number;
  /** Of one round. */
  readonly seconds: number;
}

/** A part of the table that is measured in one go: `pnpm bench <name>`. */
export interface Row {
  readonly name: string;
  readonly tools: readonly Tool[];
  measure(effort: Effort): Promise<readonly Figure[]>;
}
