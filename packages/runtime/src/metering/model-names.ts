import { DAY_MS } from "@aigw/core/usage";

/** Models of a client at a service that are known by their names, in a day. */
const MOST = 64;
/** Clients at services whose models are remembered. */
const MOST_PAIRS = 10_000;
const OTHER = "(other)";

/**
 * Bounds what calls can add to the sums, which are kept by model for good: many services answer with whatever name the
 * request had. Only calls of the client that makes names up lose theirs.
 */
export class ModelNames {
  #day = -1;
  readonly #known = new Map<string, Set<string>>();

  /** @param at when the call arrived, milliseconds since the epoch @returns what the model is recorded as */
  nameOf(client: string, service: string, model: string, at: number): string {
    const day = Math.floor(at / DAY_MS);
    if (day > this.#day || this.#known.size >= MOST_PAIRS) {
      this.#day = Math.max(day, this.#day);
      this.#known.clear();
    }
    const pair = `${client} ${service}`;
    let models = this.#known.get(pair);
    if (models === undefined) {
      models = new Set();
      this.#known.set(pair, models);
    }
    if (models.has(model)) return model;
    if (models.size >= MOST) return OTHER;
    models.add(model);
    return model;
  }
}
