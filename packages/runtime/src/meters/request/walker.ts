/** What a file says of itself, as far as it was seen. */
export interface FileReader {
  /** @param bytes the next ones; they are not kept */
  feed(bytes: Buffer): void;
  end(): void;
  /** Of audio; undefined when it could not be read. */
  readonly seconds?: number | undefined;
  /** Of a PDF. */
  readonly pages?: number | undefined;
}

/** More than any header that is looked at whole. */
const MAX_HELD = 64 * 1024;

/** Walks through a file in pieces from header to header, and passes over what is between them. */
export abstract class Walker implements FileReader {
  /** Bytes of the file that were fed. */
  protected total = 0;
  /** Nothing more is to be learnt. */
  protected isDone = false;
  /** Where in the file the piece begins that {@link step} sees. */
  protected origin = 0;
  #held: Buffer | undefined;
  #skip = 0;

  /**
   * Looks at what begins at `at`.
   * @returns where the next header begins, possibly behind the piece; ≤ `at`: more bytes are needed to tell
   */
  protected abstract step(data: Buffer, at: number): number;

  feed(bytes: Buffer): void {
    const before = this.total;
    this.total += bytes.length;
    if (this.isDone) return;
    if (this.#skip >= bytes.length) {
      this.#skip -= bytes.length;
      return;
    }
    const rest = this.#skip > 0 ? bytes.subarray(this.#skip) : bytes;
    const data = this.#held === undefined ? rest : Buffer.concat([this.#held, rest]);
    this.origin = before + this.#skip - (this.#held?.length ?? 0);
    this.#skip = 0;
    this.#held = undefined;
    for (let at = 0; !this.isDone; ) {
      const next = this.step(data, at);
      if (next <= at) {
        if (data.length - at > MAX_HELD) this.isDone = true;
        else this.#held = Buffer.from(data.subarray(at));
        return;
      }
      if (next >= data.length) {
        this.#skip = next - data.length;
        return;
      }
      at = next;
    }
  }

  end(): void {}
}
