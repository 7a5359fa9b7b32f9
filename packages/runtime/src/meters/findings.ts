import { MAX_MODEL } from "@aigw/core/meters";
import type { PathNode } from "./json-paths.ts";
import { UNSET } from "./json-tokens.ts";

/** What was found in a document, by the slots of its paths. */
export class Findings {
  /** Numbers and counts: {@link UNSET}, BAD, or 0 to MAX_VALUE. */
  readonly values: Float64Array;
  /** The first of each that was found since {@link forget}. */
  readonly texts: (string | undefined)[];
  /** Something of what is wanted by `some` was there. */
  some = false;
  #touched = false;

  constructor(numbers: number, texts: number) {
    this.values = new Float64Array(numbers).fill(UNSET);
    this.texts = new Array<string | undefined>(texts).fill(undefined);
  }

  /** A slot of `values` was written. */
  get touched(): boolean {
    return this.#touched;
  }

  /** For another document. */
  reset(): void {
    this.some = false;
    if (this.#touched) this.values.fill(UNSET);
    this.#touched = false;
  }

  /** For another call: also the texts. */
  forget(): void {
    this.reset();
    this.texts.fill(undefined);
  }

  /** @param value for a number's slot; @param count what it adds to a count, 0 when it is empty */
  add(node: PathNode, value: number, count: number): void {
    if (node.number >= 0) {
      this.values[node.number] = value;
      this.#touched = true;
    }
    if (count === 0) return;
    if (node.some) this.some = true;
    if (node.count >= 0) {
      const before = this.values[node.count] as number;
      this.values[node.count] = before > 0 ? before + count : count;
      this.#touched = true;
    }
  }

  wantsText({ text }: PathNode): boolean {
    return text >= 0 && this.texts[text] === undefined;
  }

  addText({ text }: PathNode, value: string): void {
    this.texts[text] = value.slice(0, MAX_MODEL);
  }

  /** An earlier value under the same key does not count. */
  void({ slots }: PathNode): void {
    if (!this.#touched) return;
    for (let i = 0; i < slots.length; i += 1) this.values[slots[i] as number] = UNSET;
  }
}
