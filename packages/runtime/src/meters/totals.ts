import type { JsonScanner, ScanProblem } from "./json-scanner.ts";
import { BAD, UNSET } from "./json-tokens.ts";

/** What the documents of one answer add up to: of each value, the last document's that has it. */
export class Totals {
  readonly values: Float64Array;
  /** Documents that carry a piece of the answer. */
  pieces = 0;
  /** Documents that could be read. */
  documents = 0;
  problem: ScanProblem | undefined;
  #touched = false;

  constructor(numbers: number) {
    this.values = new Float64Array(numbers).fill(UNSET);
  }

  reset(): void {
    if (this.#touched) this.values.fill(UNSET);
    this.#touched = false;
    this.pieces = 0;
    this.documents = 0;
    this.problem = undefined;
  }

  /** A document has ended; the scanner is ready for the next one afterwards. */
  take(scanner: JsonScanner): void {
    if (scanner.end()) {
      this.documents += 1;
      if (scanner.found.some) this.pieces += 1;
      if (scanner.found.touched) this.#merge(scanner.found.values);
    } else this.problem ??= scanner.problem;
    scanner.reset();
  }

  #merge(values: Float64Array): void {
    this.#touched = true;
    for (let i = 0; i < values.length; i += 1) {
      const value = values[i] as number;
      // What is no quantity says nothing against one that came before.
      if (value >= 0 || (value === BAD && Number.isNaN(this.values[i]))) this.values[i] = value;
    }
  }
}
