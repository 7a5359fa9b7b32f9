export { ACTIONS, type Action, type Change, type ChangeDraft, type Effect, MAX_EFFECTS } from "./change.ts";
export { type ControlState, emptyControlState, fold } from "./control-state.ts";
