export { ACTIONS, type Action, type Change, type ChangeDraft, type Effect, isSettled, MAX_EFFECTS } from "./change.ts";
export { type ControlState, emptyControlState, fold } from "./control-state.ts";
export { secretsOf, traceOf, withoutSecrets } from "./secrets.ts";
