import { BUILT_IN_UNITS, parseMeters, toMillionths, unitsOf } from "@aigw/core/meters";
import { parseReserves, type Reserve } from "@aigw/core/quotas";
import type { Service } from "@aigw/core/services";
import { JsonPaths } from "../meters/json-paths.ts";
import { JsonScanner } from "../meters/json-scanner.ts";

/** What is known of one unit beforehand: the first of these that the request has. */
type Bound = number | { readonly slot: number };

/** What a service says of its calls before they begin: which units it counts, and how much of them one may use. */
export class ServiceQuota {
  /** Quotas of no other are asked. */
  readonly units: ReadonlySet<string>;
  readonly #bounds: ReadonlyMap<string, readonly Bound[]>;
  readonly #paths = new JsonPaths();

  constructor({ meter, prices = [], reserve }: Pick<Service, "meter" | "prices" | "reserve">) {
    const reserves = reservesOf(reserve);
    const costs = prices.length > 0 ? ["cost"] : [];
    this.units = new Set([...BUILT_IN_UNITS, ...meteredUnits(meter), ...costs, ...reserves.map(({ unit }) => unit)]);
    const bounds = new Map<string, Bound[]>();
    for (const { unit, amount } of reserves) {
      const bound = typeof amount === "number" ? amount : { slot: this.#paths.add(amount.pointer, "number") };
      bounds.set(unit, [...(bounds.get(unit) ?? []), bound]);
    }
    this.#bounds = bounds;
  }

  /** Whether the request's JSON says how much a call may use of one of these. */
  readsRequest(units: Iterable<string>): boolean {
    for (const unit of units) if (typeof this.#bounds.get(unit)?.[0] === "object") return true;
    return false;
  }

  /**
   * What a call sets aside.
   * @param body of a JSON request, whole; undefined: it is not known
   */
  reserves(body: Buffer | undefined): ReadonlyMap<string, number> {
    if (this.#bounds.size === 0) return NOTHING;
    const said = body === undefined ? undefined : this.#read(body);
    const reserves = new Map<string, number>();
    for (const [unit, bounds] of this.#bounds) {
      for (const bound of bounds) {
        const amount = typeof bound === "number" ? bound : toMillionths(said?.[bound.slot] ?? Number.NaN);
        if (amount === undefined) continue;
        reserves.set(unit, amount);
        break;
      }
    }
    return reserves;
  }

  #read(body: Buffer): Float64Array | undefined {
    const scanner = new JsonScanner(this.#paths.compile(), this.#paths.numbers, this.#paths.texts);
    scanner.feed(body, 0, body.length);
    return scanner.end() ? scanner.found.values : undefined;
  }
}

const NOTHING: ReadonlyMap<string, number> = new Map();

/** What another version has stored may say what this one does not know: the service works all the same. */
const reservesOf = (reserve: string | undefined): readonly Reserve[] => {
  try {
    return reserve === undefined ? [] : parseReserves(reserve);
  } catch {
    return [];
  }
};

const meteredUnits = (meter: string | undefined): readonly string[] => {
  try {
    return meter === undefined ? [] : unitsOf(parseMeters(meter));
  } catch {
    return [];
  }
};
