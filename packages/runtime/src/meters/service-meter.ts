import type { MeterSpec } from "@aigw/core/meters";
import { CallReader } from "./call-reader.ts";
import { type MeterPlan, planOf } from "./meter-plan.ts";

/** Readers that rest for the next call: some 3 KiB each. */
const MAX_RESTING = 64;

/** The meters of one service, of one version of it. */
export class ServiceMeter {
  readonly #plan: MeterPlan;
  readonly #resting: CallReader[] = [];

  constructor(meters: MeterSpec) {
    this.#plan = planOf(meters);
  }

  /** For one call. It comes back by itself when its reading was told. */
  start(): CallReader {
    return this.#resting.pop() ?? new CallReader(this.#plan, (reader) => this.#rest(reader));
  }

  #rest(reader: CallReader): void {
    if (this.#resting.length < MAX_RESTING) this.#resting.push(reader);
  }
}

/** @returns null for a service without a meter: its calls have no reader, and cost nothing */
export const serviceMeter = (meters: MeterSpec): ServiceMeter | null =>
  meters.length === 0 ? null : new ServiceMeter(meters);
