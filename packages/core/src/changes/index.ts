export type { Action, Change, ChangeDraft } from "./change.ts";
export { type ControlState, emptyControlState, fold } from "./control-state.ts";
