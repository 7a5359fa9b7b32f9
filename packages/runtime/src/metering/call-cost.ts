import { BUILT_IN_UNITS, MILLION, type PriceList, Tariff } from "@aigw/core/meters";
import { priceListsOf, type Service } from "@aigw/core/services";
import type { Reading } from "../meters/reading.ts";

/** What a call cost follows from. */
export interface CallEnd {
  readonly status: number;
  /** Absent: the service gave no answer. */
  readonly upstreamMs?: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** From dispatch to the end, milliseconds. */
  readonly serviceMs?: number;
  readonly reading?: Reading;
}

/** What calls of the services cost, by the prices in force when it is asked. */
export class Costs {
  readonly #services: { readonly services: ReadonlyMap<string, Service> };
  /** Null: it has neither meter nor price. */
  readonly #known = new WeakMap<Service, CallCost | null>();

  /** @param follower its services as they are at each moment; a changed one is another record */
  constructor(follower: { readonly services: ReadonlyMap<string, Service> }) {
    this.#services = follower;
  }

  /** @returns as {@link UsageEvent.cost} has it */
  of(service: string, ended: CallEnd): number | null | undefined {
    return this.#of(service)?.of(ended);
  }

  /** Whether the call costs by how long its service took. */
  countsTime(service: string, ended: CallEnd): boolean {
    return this.#of(service)?.pricesTime === true && isServed(ended);
  }

  #of(service: string): CallCost | undefined {
    const record = this.#services.services.get(service);
    if (record === undefined) return undefined;
    let known = this.#known.get(record);
    if (known === undefined) {
      const { meter, prices } = record;
      known = meter === undefined && prices === undefined ? null : new CallCost(pricesIn(record));
      this.#known.set(record, known);
    }
    return known ?? undefined;
  }
}

/** What another version has stored may say what this one does not know: then it is no price. */
const pricesIn = (service: Service): readonly PriceList[] => {
  try {
    return priceListsOf(service);
  } catch {
    return [];
  }
};

class CallCost {
  readonly #tariff: Tariff;
  readonly #hasPrices: boolean;
  /** Something that the gateway counts itself has a price. */
  readonly #countsItself: boolean;
  /** The time of the service has a price. */
  readonly pricesTime: boolean;

  constructor(lists: readonly PriceList[]) {
    this.#tariff = new Tariff(lists);
    this.#hasPrices = lists.length > 0;
    const hasPrice = (is: (unit: string) => boolean): boolean =>
      lists.some(({ prices }) => prices.some(({ unit }) => is(unit)));
    this.#countsItself = hasPrice((unit) => BUILT_IN_UNITS.includes(unit));
    this.pricesTime = hasPrice((unit) => unit === SERVICE_SECONDS);
  }

  /**
   * What the service itself says it has worked off costs in any case; what the gateway counts, only of a call that the
   * service answered without an error. A call that came to nothing is worth nothing, and lacks no price.
   */
  of(ended: CallEnd): number | null {
    if (!this.#hasPrices) return null;
    const { reading } = ended;
    const units = reading?.units ?? NOTHING;
    const served = isServed(ended);
    const all = served && this.#countsItself ? { ...units, ...counted(ended) } : units;
    const cost = this.#tariff.cost(all, reading?.model);
    return cost ?? (served ? null : 0);
  }
}

const NOTHING: Readonly<Record<string, number>> = {};

/** The service answered, without an error. */
const isServed = ({ status, upstreamMs }: CallEnd): boolean => upstreamMs !== undefined && status < 400;

export const SERVICE_SECONDS = "service_seconds";

/** In millionths. */
export const serviceSeconds = (serviceMs: number): number => Math.round(serviceMs * (MILLION / 1_000));

const counted = ({ bytesIn, bytesOut, serviceMs = 0 }: CallEnd): Readonly<Record<string, number>> => ({
  requests: MILLION,
  bytes_in: bytesIn * MILLION,
  bytes_out: bytesOut * MILLION,
  [SERVICE_SECONDS]: serviceSeconds(serviceMs),
});
