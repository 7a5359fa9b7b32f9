import type { KeyTime } from "../keys/signing-key.ts";
import type { ActDeps } from "./commit.ts";

/** This moment, for whatever has to do with signing keys and tokens. */
export const keyTime = ({ store, clock }: Pick<ActDeps, "store" | "clock">): KeyTime => ({
  wall: clock.now(),
  steady: store.traffic.steadyNow(),
});
