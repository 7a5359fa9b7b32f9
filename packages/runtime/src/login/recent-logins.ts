import { hash, randomBytes } from "node:crypto";
import { networksOf } from "./networks.ts";

/** Two counters a network, of 2 × 8,192: an attack from 6,000 addresses still leaves most pairs to one network alone. */
const ROWS = 2;
const CELLS = 8_192;
/** What somebody did counts half after so long, milliseconds. */
const HALF_LIFE_MS = 60_000;

/**
 * How much each network asked for lately, in a table of fixed size: nothing that is sent makes it grow or pushes anybody
 * out. Networks may share a counter, and the lower of a network's two counts. Which ones share is a secret of this
 * process, so that nobody can raise another's on purpose.
 */
export class RecentLogins {
  readonly #counts = new Float32Array(ROWS * CELLS);
  readonly #secret = randomBytes(16).toString("base64url");
  #halvedAt = 0;

  /**
   * Counts one attempt. @param now monotonic milliseconds
   * @returns where its networks are counted, for {@link demandOf}
   */
  note(source: string, now: number): readonly number[] {
    this.#fade(now);
    const cells = networksOf(source).flatMap((network) => this.#cellsOf(network));
    for (const cell of cells) this.#counts[cell] = (this.#counts[cell] ?? 0) + 1;
    return cells;
  }

  /**
   * How much the networks of a source asked for lately, all of them together: the product, so that a quiet network in a
   * busy one and a quiet source in a busy network both count for something.
   */
  demandOf(cells: readonly number[]): number {
    let demand = 1;
    for (let i = 0; i + 1 < cells.length; i += ROWS) {
      demand *= 1 + Math.min(this.#counts[cells[i] ?? 0] ?? 0, this.#counts[cells[i + 1] ?? 0] ?? 0);
    }
    return demand;
  }

  #cellsOf(network: string): number[] {
    const digest = hash("sha256", `${this.#secret} ${network}`, "buffer");
    return [digest.readUInt16LE(0) % CELLS, CELLS + (digest.readUInt16LE(2) % CELLS)];
  }

  #fade(now: number): void {
    const elapsed = now - this.#halvedAt;
    if (elapsed < HALF_LIFE_MS) return;
    const rest = 0.5 ** Math.floor(elapsed / HALF_LIFE_MS);
    for (let i = 0; i < this.#counts.length; i += 1) this.#counts[i] = (this.#counts[i] ?? 0) * rest;
    this.#halvedAt = now;
  }
}
