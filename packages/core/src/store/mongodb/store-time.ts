/** The time of a store, as TrafficStore.steadyNow has it. Tests hand in their own. */
export interface StoreTime {
  /** Steady milliseconds, never going back. No I/O. */
  now(): number;
}
