import type { SeenTarget, TargetHealth } from "@aigw/core/services";
import type { Cell } from "../../terminal/output/table.ts";
import { when } from "../../terminal/output/time.ts";
import type { View } from "../../terminal/output/view.ts";

const WORDS: Readonly<Record<TargetHealth, string>> = {
  up: "up",
  down: "down",
  partly_down: "partly down",
  drained: "drained",
  unknown: "",
};

/** `up`, or `down since …` with the reason. */
export const targetWords = (view: View, { state, since, reason }: SeenTarget): string => {
  const isDown = state === "down" || state === "partly_down";
  if (!isDown || since === undefined) return WORDS[state];
  return `${WORDS[state]} since ${when(view, since)}${reason === undefined ? "" : ` (${reason})`}`;
};

export const targetCell = (view: View, target: SeenTarget): Cell => {
  const text = targetWords(view, target);
  if (target.state === "down") return { text, tone: "red" };
  return target.state === "up" || target.state === "unknown" ? text : { text, tone: "yellow" };
};
