import type { Metered, MeterProblem, Units } from "@aigw/core/meters";

/** What a call was worth, as far as it could be read. */
export interface Reading {
  /** Integer millionths; only what was read. */
  readonly units: Units;
  readonly metered: Metered;
  /** `request`: something of it comes from the request. Absent when nothing was read. */
  readonly from?: "answer" | "request";
  /** As the service calls it, at most MAX_MODEL characters. */
  readonly model?: string;
  /** Why nothing was read: there exactly when `metered` is `no`. */
  readonly problem?: MeterProblem;
}

/** Whom it is told to, once. */
export interface ReadingSink {
  onReading(reading: Reading): void;
}
