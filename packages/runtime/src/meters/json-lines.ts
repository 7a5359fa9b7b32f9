import type { JsonScanner } from "./json-scanner.ts";
import type { Totals } from "./totals.ts";

/** Hands each line of NDJSON to a scanner as a document of its own, as it comes. A line that is none counts for nothing. */
export class JsonLines {
  readonly #scanner: JsonScanner;
  readonly #totals: Totals;

  constructor(scanner: JsonScanner, totals: Totals) {
    this.#scanner = scanner;
    this.#totals = totals;
  }

  feed(bytes: Buffer): void {
    for (let i = 0; i < bytes.length; ) {
      const lf = bytes.indexOf(0x0a, i);
      const end = lf < 0 ? bytes.length : lf;
      this.#scanner.feed(bytes, i, end);
      if (lf >= 0) this.end();
      i = end + 1;
    }
  }

  end(): void {
    if (!this.#scanner.isEmpty) this.#totals.take(this.#scanner);
  }
}
